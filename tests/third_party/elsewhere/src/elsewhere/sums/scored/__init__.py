"""What scores explanations of the track."""
