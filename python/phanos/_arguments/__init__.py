"""Arguments of users, checked, with messages that say what was given and what is expected."""
