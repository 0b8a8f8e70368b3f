-- Several sites. home: the site a camera is of; empty: this one.
ALTER TABLE camera ADD COLUMN home TEXT NOT NULL DEFAULT '';
