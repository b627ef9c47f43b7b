"""Classes, transition codes and their colours."""
