package multistatus

import (
	"net/http"
	"strconv"
)

// Condition is a precondition or postcondition that a request violates (RFC
// 4918 section 16).
type Condition uint8

// The conditions; 0 is none.
const (
	// FiniteDepth: PROPFIND with Depth: infinity is not allowed here.
	FiniteDepth Condition = iota + 1
	// LockTokenSubmitted: the hrefs are locked, and no token was given.
	LockTokenSubmitted
	// LockTokenMatches: the lock does not cover what it was given for.
	LockTokenMatches
	// NoConflictingLock: the hrefs hold a lock that conflicts.
	NoConflictingLock
	// ProtectedProperty: the property cannot be changed by clients.
	ProtectedProperty
)

var conditions = [...]string{
	FiniteDepth:        "propfind-finite-depth",
	LockTokenSubmitted: "lock-token-submitted",
	LockTokenMatches:   "lock-token-matches-request-uri",
	NoConflictingLock:  "no-conflicting-lock",
	ProtectedProperty:  "cannot-modify-protected-property",
}

// AppendError appends to b the body of an answer that names the condition c,
// violated at paths, which are decoded.
func AppendError(b []byte, c Condition, paths ...string) []byte {
	return append(appendError(append(b, xmlHeader...), c, ` xmlns:D="DAV:"`, paths), '\n')
}

func appendError(b []byte, c Condition, declaration string, paths []string) []byte {
	name := conditions[c]
	b = append(append(append(b, "<D:error"...), declaration...), "><D:"...)
	b = append(b, name...)
	if len(paths) == 0 {
		return append(b, "/></D:error>"...)
	}
	b = append(b, '>')
	for _, path := range paths {
		b = append(b, "<D:href>"...)
		b = AppendPath(b, path)
		b = append(b, "</D:href>"...)
	}
	b = append(b, "</D:"...)
	b = append(b, name...)
	return append(b, "></D:error>"...)
}

// Status writes a response without properties: what became of path, which is
// absolute and decoded, and ends in a slash if it is a collection. This is how
// DELETE, COPY and MOVE tell of what they could not do. The condition c is why,
// 0 if no condition says it.
func (w *Writer) Status(path string, code int, c Condition) error {
	w.buf = append(w.buf, "\n<D:response><D:href>"...)
	w.buf = appendEscaped(w.buf, w.options.Prefix)
	w.buf = AppendPath(w.buf, path)
	w.buf = append(w.buf, "</D:href><D:status>HTTP/1.1 "...)
	w.buf = strconv.AppendInt(w.buf, int64(code), 10)
	w.buf = append(w.buf, ' ')
	w.buf = append(w.buf, http.StatusText(code)...)
	w.buf = append(w.buf, "</D:status>"...)
	switch c {
	case 0:
	case LockTokenSubmitted: // which must name what is locked
		w.buf = appendError(w.buf, c, "", []string{path})
	default:
		w.buf = appendError(w.buf, c, "", nil)
	}
	return w.written()
}
