// Package firefly tells a collector which connections carry data of which
// experiment and activity, so that networks can account for them (SciTags,
// technical specification of the Research Networking Technical Working Group).
//
// A firefly is a UDP datagram: a line of syslog (RFC 5424) with a JSON document,
// sent when a flow begins and when it ends. Whether it arrives nobody knows, and
// no transfer depends on it.
package firefly

import (
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// Least is the smallest SciTag; what is less is none.
const Least = 65

// Flow is a connection that carries a file.
type Flow struct {
	// Local and Remote are its ends, as seen from here.
	Local, Remote netip.AddrPort
	// Sends is whether the data leave this host; else they come.
	Sends bool
	// Tag is the SciTag: the experiment in the upper ten bits, the activity in the
	// lower six.
	Tag uint16
}

// Beacon sends fireflies. Its methods may be called concurrently.
type Beacon struct {
	conn net.Conn
	host string
}

// Open returns a beacon for the collector at address, a host with a port. The
// error is that of a name that cannot be resolved.
func Open(address string) (*Beacon, error) {
	conn, err := net.Dial("udp", address)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "-"
	}
	return &Beacon{conn: conn, host: host}, nil
}

// Close ends the sending.
func (b *Beacon) Close() error { return b.conn.Close() }

// Begin says that a flow has begun. end says that it has ended, once, after so
// many bytes; negative is not known.
func (b *Beacon) Begin(f Flow) (end func(bytes int64)) {
	began := time.Now()
	b.send(f, "start", began, time.Time{}, -1)
	var once sync.Once
	return func(bytes int64) {
		once.Do(func() { b.send(f, "end", began, time.Now(), bytes) })
	}
}

// document is what a firefly says.
type document struct {
	Version   int       `json:"version"`
	Lifecycle lifecycle `json:"flow-lifecycle"`
	Flow      flowID    `json:"flow-id"`
	Context   context   `json:"context"`
	Usage     *usage    `json:"usage,omitempty"`
}

type lifecycle struct {
	State   string `json:"state"`
	Current string `json:"current-time"`
	Start   string `json:"start-time"`
	End     string `json:"end-time,omitempty"`
}

type flowID struct {
	Family   string `json:"afi"`
	From     string `json:"src-ip"`
	To       string `json:"dst-ip"`
	Protocol string `json:"protocol"`
	FromPort uint16 `json:"src-port"`
	ToPort   uint16 `json:"dst-port"`
}

type context struct {
	Experiment  uint16 `json:"experiment-id"`
	Activity    uint16 `json:"activity-id"`
	Application string `json:"application"`
}

type usage struct {
	Received int64 `json:"received"`
	Sent     int64 `json:"sent"`
}

// stamp is a time as fireflies have it.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000+00:00")
}

func (b *Beacon) send(f Flow, state string, began, ended time.Time, bytes int64) {
	from, to := f.Remote, f.Local
	if f.Sends {
		from, to = to, from
	}
	family := "ipv6"
	if from.Addr().Unmap().Is4() {
		family = "ipv4"
	}
	now := stamp(time.Now())
	d := document{
		Version:   1,
		Lifecycle: lifecycle{State: state, Current: now, Start: stamp(began), End: stamp(ended)},
		Flow:      flowID{family, from.Addr().Unmap().String(), to.Addr().Unmap().String(), "tcp", from.Port(), to.Port()},
		Context:   context{f.Tag >> 6, f.Tag & 63, "canopy"},
	}
	switch {
	case bytes < 0:
	case f.Sends:
		d.Usage = &usage{Sent: bytes}
	default:
		d.Usage = &usage{Received: bytes}
	}
	text, err := json.Marshal(d)
	if err != nil {
		return // there is nothing in it that cannot be marshalled
	}
	// Local use 0, informational (RFC 5424 section 6.2.1).
	line := append([]byte("<134>1 "+now+" "+b.host+" canopy - firefly-json - "), text...)
	_, _ = b.conn.Write(line) // nobody waits for it
}
