package proppatch

import (
	"encoding/xml"
	"net/http"
	"strconv"

	"canopy/plugins"
	"canopy/plugins/wire/property"
)

const header = `<?xml version="1.0" encoding="utf-8"?>` + "\n"

// AppendUpdate appends the body of a request that sets and removes properties.
func AppendUpdate(b []byte, set []plugins.Property, remove []xml.Name) []byte {
	b = append(b, header+`<D:propertyupdate xmlns:D="DAV:">`...)
	if len(set) > 0 {
		b = append(b, "<D:set><D:prop>"...)
		for i := range set {
			b = property.Append(b, &set[i])
		}
		b = append(b, "</D:prop></D:set>"...)
	}
	if len(remove) > 0 {
		b = append(b, "<D:remove><D:prop>"...)
		for _, name := range remove {
			b = property.AppendName(b, name)
		}
		b = append(b, "</D:prop></D:remove>"...)
	}
	return append(b, "</D:propertyupdate>\n"...)
}

// Outcome is what became of some properties.
type Outcome struct {
	Names  []xml.Name
	Status int
	// Error is an element that says why, such as
	// <D:cannot-modify-protected-property/>; "" is none. The prefix D is
	// declared.
	Error string
}

// AppendAnswer appends the answer for the path whose address is href, which is
// percent-encoded.
func AppendAnswer(b []byte, href string, outcomes ...Outcome) []byte {
	b = append(b, header+`<D:multistatus xmlns:D="DAV:"><D:response><D:href>`...)
	b = append(append(b, href...), "</D:href>"...)
	for _, o := range outcomes {
		if len(o.Names) == 0 {
			continue
		}
		b = append(b, "<D:propstat><D:prop>"...)
		for _, name := range o.Names {
			b = property.AppendName(b, name)
		}
		b = append(b, "</D:prop><D:status>HTTP/1.1 "...)
		b = strconv.AppendInt(b, int64(o.Status), 10)
		b = append(append(b, ' '), http.StatusText(o.Status)...)
		b = append(b, "</D:status>"...)
		if o.Error != "" {
			b = append(append(append(b, "<D:error>"...), o.Error...), "</D:error>"...)
		}
		b = append(b, "</D:propstat>"...)
	}
	return append(b, "</D:response></D:multistatus>\n"...)
}
