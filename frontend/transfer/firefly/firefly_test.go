package firefly

import (
	"encoding/json"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// collector takes what is sent to it.
func collector(t *testing.T) (address string, next func() string) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String(), func() string {
		t.Helper()
		b := make([]byte, 4096)
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := c.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func TestBeacon(t *testing.T) {
	address, next := collector(t)
	b, err := Open(address)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	end := b.Begin(Flow{Local: netip.MustParseAddrPort("[::ffff:192.0.2.1]:40000"), Remote: netip.MustParseAddrPort("192.0.2.2:443"), Sends: true, Tag: 2<<6 | 5})
	end(1000)
	end(2000)
	b.Begin(Flow{Local: netip.MustParseAddrPort("[2001:db8::1]:40000"), Remote: netip.MustParseAddrPort("[2001:db8::2]:443"), Tag: Least})(-1)
	sent := map[string]any{"afi": "ipv4", "src-ip": "192.0.2.1", "dst-ip": "192.0.2.2", "protocol": "tcp", "src-port": 40000.0, "dst-port": 443.0}
	received := map[string]any{"afi": "ipv6", "src-ip": "2001:db8::2", "dst-ip": "2001:db8::1", "protocol": "tcp", "src-port": 443.0, "dst-port": 40000.0}
	for i, want := range []map[string]any{
		{"state": "start", "flow-id": sent, "context": map[string]any{"experiment-id": 2.0, "activity-id": 5.0, "application": "canopy"}},
		{"state": "end", "flow-id": sent, "context": map[string]any{"experiment-id": 2.0, "activity-id": 5.0, "application": "canopy"}, "usage": map[string]any{"sent": 1000.0, "received": 0.0}},
		{"state": "start", "flow-id": received, "context": map[string]any{"experiment-id": 1.0, "activity-id": 1.0, "application": "canopy"}},
		{"state": "end", "flow-id": received, "context": map[string]any{"experiment-id": 1.0, "activity-id": 1.0, "application": "canopy"}},
	} {
		head, text, ok := strings.Cut(next(), " canopy - firefly-json - ")
		fields := strings.Fields(head)
		if !ok || len(fields) != 3 || fields[0] != "<134>1" {
			t.Errorf("%d: it begins with %q", i, head)
		}
		if _, err := time.Parse(time.RFC3339, fields[1]); err != nil {
			t.Error(err)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		life := got["flow-lifecycle"].(map[string]any)
		if _, ended := life["end-time"]; ended != (life["state"] == "end") || life["start-time"] == nil || got["version"] != 1.0 {
			t.Errorf("%d: %v", i, got)
		}
		got["state"] = life["state"]
		delete(got, "flow-lifecycle")
		delete(got, "version")
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%d: %s", i, d)
		}
	}
}

// TestNobody: a collector that is not there is nobody's concern.
func TestNobody(t *testing.T) {
	b, err := Open("127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.Begin(Flow{Local: netip.MustParseAddrPort("192.0.2.1:1"), Remote: netip.MustParseAddrPort("192.0.2.2:2"), Tag: Least})(1)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open("no port"); err == nil {
		t.Error("an address without a port is one")
	}
}

func TestStamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if got := stamp(time.Now()); got != "2000-01-01T00:00:00.000000+00:00" {
			t.Error(got)
		}
	})
}
