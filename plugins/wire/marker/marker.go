// Package marker reads and writes performance markers, the answer to a
// third-party copy over HTTP (WLCG HTTP-TPC, after the markers of GridFTP,
// GFD.20 appendix II). While a storage copies it sends, every few seconds, a
// block for each of its streams:
//
//	Perf Marker
//	Timestamp: 1795269296
//	Stripe Index: 0
//	Stripe Bytes Transferred: 1048576
//	Total Stripe Count: 1
//	RemoteConnections: tcp:192.0.2.7:443
//	End
//
// and as the last line how it ended: "success: Created", "failure: …" or
// "aborted: …". An answer without such a line tells nothing, whatever its
// status was.
package marker

import (
	"strings"
	"time"
)

// ContentType is what a writer announces; XRootD says text/plain.
const ContentType = "text/perf-marker-stream"

// Marker is how far one stream of a copy has come.
type Marker struct {
	// Time is when that was, to the second; zero when not said.
	Time time.Time
	// Stripe is the number of the stream, from 0; Stripes is how many there
	// are, 0 when not said.
	Stripe, Stripes int
	// Bytes is how many this stream has copied so far.
	Bytes int64
	// Remote are the connections to the other party, each as
	// "protocol:address:port".
	Remote []string
}

// State is how a copy ended.
type State uint8

// The states.
const (
	Success State = iota + 1
	Failure
	Aborted
)

var words = [...]string{Success: "success", Failure: "failure", Aborted: "aborted"}

// String returns the word of the last line.
func (s State) String() string {
	if int(s) < len(words) && words[s] != "" {
		return words[s]
	}
	return "unknown"
}

// Outcome is the last line.
type Outcome struct {
	State State
	// Message is what a storage adds for people. It may quote anybody, is at
	// most 1 KiB long and on one line without control characters.
	Message string
}

// maxMessage bounds Outcome.Message in bytes.
const maxMessage = 1 << 10

// clean makes a message of s that is fit for one line.
func clean(s string) string {
	s = strings.TrimSpace(s)
	s = strings.ToValidUTF8(s[:min(len(s), maxMessage)], "")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s))
}
