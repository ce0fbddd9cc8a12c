"""What a plan does when the executor runs it: translation, order, data-flow."""
