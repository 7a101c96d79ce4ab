package resume

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"strings"
	"time"
)

// answer is the http.ResponseWriter that the protocol's library writes to. It
// keeps refusals back, so that all are answered in the manner of the front end
// and none tells more than it should.
type answer struct {
	to     http.ResponseWriter
	about  *asked
	header http.Header
	status int
	said   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status != 0 || a.about.err != nil {
		return
	}
	a.status = status
	if status >= http.StatusBadRequest {
		return
	}
	if a.about.id != "" {
		// The library makes it of what the request says of host and scheme,
		// which a proxy may have changed.
		a.header.Set("Location", Address+a.about.id)
	}
	for name, values := range a.about.told {
		if len(a.header[name]) == 0 {
			a.header[name] = values
		}
	}
	a.header.Set("Cache-Control", "no-store")
	maps.Copy(a.to.Header(), a.header)
	a.to.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.about.err != nil || a.status >= http.StatusBadRequest {
		if a.said.Len() < maxSaid {
			a.said.Write(p)
		}
		return len(p), nil
	}
	return a.to.Write(p)
}

// maxSaid bounds what is kept of the text of a refusal.
const maxSaid = 1 << 10

// SetReadDeadline ends a read that is under way, because somebody else wants
// the upload. To give a body its time is for the front end.
func (a *answer) SetReadDeadline(t time.Time) error {
	if t.After(time.Now()) {
		return nil
	}
	return http.NewResponseController(a.to).SetReadDeadline(t)
}

// SetWriteDeadline is for the front end, too: storing may take longer.
func (a *answer) SetWriteDeadline(time.Time) error { return nil }

// refusal returns why nothing was answered, if so.
func (a *answer) refusal() error {
	switch {
	case a.about.err != nil:
		return a.about.err
	case a.status < http.StatusBadRequest:
		return nil
	}
	said := strings.TrimSpace(a.said.String())
	r := &Refusal{Status: a.status, Err: errors.New(said)}
	// What the library says of faults of its own names files.
	if code, text, ok := strings.Cut(said, ": "); ok && code != "ERR_INTERNAL_SERVER_ERROR" && text != "" {
		r.Sentence = strings.ToUpper(text[:1]) + text[1:] + "."
	}
	return r
}
