"""The capstone: briefs, deployments, and how a deployment is judged."""
