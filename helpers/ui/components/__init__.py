"""Parts of a page, one file each: a class that builds its elements and knows how to renew them."""
