"""Finding the annotations of a program without a model: candidates, traces, Houdini."""
