"""Tables, figures and text for pages and terminals."""
