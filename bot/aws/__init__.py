"""The adapter for AWS IAM."""
