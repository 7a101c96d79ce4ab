package transfer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"canopy/frontend/transfer/guard"
	"canopy/plugins"
	"canopy/plugins/wire/marker"
)

// every is how often the client is told how far the copy has come. gfal2 and
// FTS give up on a copy of which they hear nothing.
const every = 5 * time.Second

// Run answers 202 with performance markers, waits for the copy to end and
// returns how it did: nil is success. A client that goes away ends it. Nothing
// is under way any more when Run returns.
func (t *Transfer) Run(w http.ResponseWriter) error {
	defer t.cancel()
	h := w.Header()
	h["Content-Type"] = []string{marker.ContentType}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	w.WriteHeader(http.StatusAccepted)
	controller := http.NewResponseController(w)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := t.mark(w, controller); err != nil {
			t.cancel()
			<-t.done
			return errors.Join(t.err, err)
		}
		select {
		case <-tick.C:
			continue
		case <-t.done:
		}
		break
	}
	// The last marker tells of all bytes, the line after it how it went.
	if err := t.mark(w, controller); err != nil {
		return errors.Join(t.err, err)
	}
	outcome := marker.Outcome{State: marker.Success, Message: "Created"}
	if t.err != nil {
		outcome = marker.Outcome{State: marker.Failure, Message: t.reason()}
	}
	return errors.Join(t.err, marker.Finish(w, outcome), flush(controller))
}

// mark sends one marker.
func (t *Transfer) mark(w io.Writer, c *http.ResponseController) error {
	m := marker.Marker{Time: time.Now(), Stripes: 1, Bytes: t.Bytes()}
	t.mu.Lock()
	for _, a := range t.remotes {
		m.Remote = append(m.Remote, connection(a))
	}
	t.mu.Unlock()
	return errors.Join(marker.Write(w, m), flush(c))
}

// flush sends what was written. A writer that cannot keeps it until the end.
func flush(c *http.ResponseController) error {
	if err := c.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// connection returns an address as markers have it, "tcp:host:port" with IPv6
// in brackets.
func connection(a netip.AddrPort) string { return "tcp:" + a.String() }

// reason is what the client is told of a failure. Of the other party it knows
// already; of our end only the kind is said.
func (t *Transfer) reason() string {
	name, our := "source", "destination"
	if t.order.Mode == Push {
		name, our = our, name
	}
	var refused *guard.Refused
	var remote *other
	var cause *plugins.Error
	why := t.err.Error()
	if errors.As(t.err, &cause) && cause.Err != nil {
		why = cause.Err.Error()
	}
	var b strings.Builder
	switch err := t.err; {
	case errors.Is(err, errSum), errors.Is(err, errUnsure), errors.Is(err, errChanged):
		b.WriteString(why)
	case context.Cause(t.ctx) == errLong:
		b.WriteString(errLong.Error())
	case errors.Is(err, context.Canceled):
		b.WriteString("the copy was ended")
	case errors.As(err, &refused):
		b.WriteString("the " + name + " leads to a network from and to which nothing is copied")
	case errors.As(err, &remote):
		b.WriteString("the " + name + ": " + plugins.KindOf(err).String())
		if cause != nil && cause.Err != nil {
			b.WriteString(": " + why)
		}
	default:
		b.WriteString("the " + our + " here: " + plugins.KindOf(err).String())
	}
	if t.left != nil {
		b.WriteString("; what was begun at the destination could not be removed")
	}
	return b.String()
}
