"""What is asked of the network: AI requests and data messages."""
