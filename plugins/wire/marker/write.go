package marker

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Write writes a marker to w at once, in one piece. The caller flushes.
func Write(w io.Writer, m Marker) error {
	b := []byte("Perf Marker\n")
	if !m.Time.IsZero() {
		b = fmt.Appendf(b, "Timestamp: %d\n", m.Time.Unix())
	}
	b = fmt.Appendf(b, "Stripe Index: %d\nStripe Bytes Transferred: %d\n", m.Stripe, m.Bytes)
	if m.Stripes > 0 {
		b = append(strconv.AppendInt(append(b, "Total Stripe Count: "...), int64(m.Stripes), 10), '\n')
	}
	if len(m.Remote) > 0 {
		b = append(b, "RemoteConnections: "...)
		b = append(b, clean(strings.Join(m.Remote, ","))...)
		b = append(b, '\n')
	}
	_, err := w.Write(append(b, "End\n"...))
	return err
}

// Finish writes the last line to w. Its message is cleaned first.
func Finish(w io.Writer, o Outcome) error {
	_, err := fmt.Fprintf(w, "%s: %s\n", o.State, clean(o.Message))
	return err
}
