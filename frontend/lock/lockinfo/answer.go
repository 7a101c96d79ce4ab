package lockinfo

import (
	"strconv"
	"time"

	"canopy/frontend/lock"
	"canopy/plugins/wire/fragment"
	"canopy/plugins/wire/multistatus"
)

// AppendSupported appends to b the property supportedlock: both scopes, for
// writing. The prefix D must stand for DAV: there.
func AppendSupported(b []byte) []byte {
	return append(b, "<D:supportedlock>"+
		"<D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>"+
		"<D:lockentry><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>"+
		"</D:supportedlock>"...)
}

// AppendDiscovery appends to b the property lockdiscovery of a resource that
// is covered by locks. The prefix D must stand for DAV: there. namespace comes
// before the root of each in its href; it is "" or a path, decoded, without a
// slash at its end.
func AppendDiscovery(b []byte, now time.Time, namespace string, locks []lock.Lock) []byte {
	if len(locks) == 0 {
		return append(b, "<D:lockdiscovery/>"...)
	}
	b = append(b, "<D:lockdiscovery>"...)
	for i := range locks {
		b = appendActive(b, now, namespace, &locks[i])
	}
	return append(b, "</D:lockdiscovery>"...)
}

func appendActive(b []byte, now time.Time, namespace string, l *lock.Lock) []byte {
	b = append(b, "<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope>"...)
	if l.Scope == lock.Shared {
		b = append(b, "<D:shared/>"...)
	} else {
		b = append(b, "<D:exclusive/>"...)
	}
	b = append(b, "</D:lockscope><D:depth>"...)
	if l.Deep {
		b = append(b, "infinity"...)
	} else {
		b = append(b, '0')
	}
	b = append(b, "</D:depth>"...)
	if l.Owner != "" {
		b = append(b, "<D:owner>"...)
		b = append(b, l.Owner...)
		b = append(b, "</D:owner>"...)
	}
	b = append(b, "<D:timeout>Second-"...)
	// What is left of a second is promised: a client refreshes before.
	left := max(0, l.Expires.Sub(now)+time.Second-1) / time.Second
	b = strconv.AppendInt(b, int64(left), 10)
	b = append(b, "</D:timeout><D:locktoken><D:href>"...)
	b = fragment.AppendText(b, l.Token, false)
	b = append(b, "</D:href></D:locktoken><D:lockroot><D:href>"...)
	b = multistatus.AppendPath(b, namespace)
	b = multistatus.AppendPath(b, l.Root)
	return append(b, "</D:href></D:lockroot></D:activelock>"...)
}

// AppendAnswer appends to b the document that answers a LOCK: the property
// lockdiscovery with all locks that now cover the resource (section 9.10.1).
// Its media type is application/xml.
func AppendAnswer(b []byte, now time.Time, namespace string, locks []lock.Lock) []byte {
	b = append(b, `<?xml version="1.0" encoding="utf-8"?>`+"\n"+`<D:prop xmlns:D="DAV:">`...)
	b = AppendDiscovery(b, now, namespace, locks)
	return append(b, "</D:prop>\n"...)
}
