"""Mutation testing of the pure rules (`make mutate`): does a test fail for every mistake that could slip in?"""
