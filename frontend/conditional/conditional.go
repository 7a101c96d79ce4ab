// Package conditional decides conditional requests (RFC 9110 section 13).
package conditional

import (
	"net/http"
	"strings"
	"time"
)

// Validators tell one content of a resource from another.
type Validators struct {
	// ETag is the entity tag with its quotes, and "W/" when weak; "" when
	// there is none.
	ETag string
	// Modified is the time of the last change; zero when unknown.
	Modified time.Time
}

// Set puts the validators into the header of an answer.
func (v Validators) Set(h http.Header) {
	if v.ETag != "" {
		h["Etag"] = []string{v.ETag}
	}
	if !v.Modified.IsZero() {
		h["Last-Modified"] = []string{v.Modified.UTC().Format(http.TimeFormat)}
	}
}

// Failed reports whether a precondition of the request does not hold
// (If-Match, If-Unmodified-Since), which is answered 412.
func (v Validators) Failed(h http.Header) bool {
	if lines := h["If-Match"]; len(lines) > 0 {
		return !v.matches(lines, false)
	}
	if since, ok := date(h["If-Unmodified-Since"]); ok && !v.Modified.IsZero() {
		return v.Modified.Truncate(time.Second).After(since)
	}
	return false
}

// NotModified reports whether the client has what it asks for already
// (If-None-Match, If-Modified-Since), which is answered 304.
func (v Validators) NotModified(h http.Header) bool {
	if lines := h["If-None-Match"]; len(lines) > 0 {
		return v.matches(lines, true)
	}
	if since, ok := date(h["If-Modified-Since"]); ok && !v.Modified.IsZero() {
		return !v.Modified.Truncate(time.Second).After(since)
	}
	return false
}

// RangeHolds reports whether a Range of the request may be answered with a
// part: there is no If-Range, or it names this very content.
func (v Validators) RangeHolds(h http.Header) bool {
	lines := h["If-Range"]
	if len(lines) == 0 {
		return true
	}
	value := strings.TrimSpace(lines[0])
	if strings.HasPrefix(value, `"`) || strings.HasPrefix(value, "W/") {
		return value == v.ETag && value[0] == '"'
	}
	t, ok := date(lines)
	return ok && !v.Modified.IsZero() && v.Modified.Truncate(time.Second).Equal(t)
}

// matches reports whether a list of entity tags names the content. By the
// weak comparison "W/" makes no difference.
func (v Validators) matches(lines []string, weak bool) bool {
	for _, line := range lines {
		if strings.TrimSpace(line) == "*" {
			return true
		}
		for tag, rest := next(line); tag != ""; tag, rest = next(rest) {
			own := v.ETag
			if weak {
				tag, own = strings.TrimPrefix(tag, "W/"), strings.TrimPrefix(own, "W/")
			}
			if tag == own && tag[0] == '"' {
				return true
			}
		}
	}
	return false
}

// next cuts the first entity tag off a list; "" is the end, or nonsense.
func next(list string) (tag, rest string) {
	list = strings.TrimLeft(list, " \t,")
	open := 0
	if strings.HasPrefix(list, "W/") {
		open = 2
	}
	if open >= len(list) || list[open] != '"' {
		return "", ""
	}
	end := strings.IndexByte(list[open+1:], '"')
	if end < 0 {
		return "", ""
	}
	end += open + 2
	return list[:end], list[end:]
}

func date(lines []string) (time.Time, bool) {
	if len(lines) == 0 {
		return time.Time{}, false
	}
	t, err := http.ParseTime(lines[0])
	return t, err == nil
}
