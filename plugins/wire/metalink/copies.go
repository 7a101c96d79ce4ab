package metalink

import (
	"net/url"
	"strings"

	"canopy/plugins"
	"canopy/plugins/wire/link"
)

// Copies returns the places of f that may be given to a client, in the order of
// the document and limit of them at most.
func (f File) Copies(limit int) []plugins.Copy {
	var copies []plugins.Copy
	for _, u := range f.URLs {
		if c, ok := newCopy(u.URL, u.Priority, u.Location); ok && len(copies) < limit {
			copies = append(copies, c)
		}
	}
	return copies
}

// Duplicates returns the places that links of relation "duplicate" name and
// that may be given to a client, in the order of the header and limit of them
// at most.
func Duplicates(links []link.Link, limit int) []plugins.Copy {
	var copies []plugins.Copy
	for _, l := range links {
		if l.Anchor != "" || !l.Is(link.Duplicate) || len(copies) == limit {
			continue
		}
		if c, ok := newCopy(l.URL, l.Priority, l.Geo); ok {
			copies = append(copies, c)
		}
	}
	return copies
}

// newCopy returns a copy if address is absolute, of a scheme that HTTP clients
// can follow, fully encoded and without a user or password. The grid's names
// for WebDAV, dav and davs, become http and https.
func newCopy(address string, priority int, location string) (plugins.Copy, bool) {
	for i := range len(address) {
		if c := address[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return plugins.Copy{}, false
		}
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Contains(address, "#") {
		return plugins.Copy{}, false
	}
	// The rest must stay as it is to the letter, for it may be signed.
	rest := address[len(u.Scheme):]
	switch u.Scheme {
	case "http", "dav":
		address = "http" + rest
	case "https", "davs":
		address = "https" + rest
	default:
		return plugins.Copy{}, false
	}
	return plugins.Copy{URL: address, Priority: priority, Country: country(location)}, true
}

// country returns location in capitals if it can be a country's code, else "".
func country(location string) string {
	code := strings.ToUpper(location)
	if len(code) != 2 || code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z' {
		return ""
	}
	return code
}
