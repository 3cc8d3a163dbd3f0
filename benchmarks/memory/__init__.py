"""Memory over long recordings and long live sessions."""
