/** What every page does. */

import { onFailed } from "./events.js";
import { failure, toast, watchToasts } from "./toast.js";
import { watchBell } from "./bell.js";
import { watchCompose } from "./compose.js";
import { watchDialog } from "./dialog.js";
import { watchKeys } from "./keys.js";
import { watchLines } from "./lines.js";
import { watchPanel } from "./panel.js";
import { watchPlace } from "./place.js";

watchToasts();
watchDialog();
watchPanel();
watchKeys();
watchLines();
watchBell();
watchCompose();
watchPlace();
onFailed((status, said) => toast(failure(status, said), "bad"));
