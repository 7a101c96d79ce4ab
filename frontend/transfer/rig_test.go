package transfer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"canopy/frontend/transfer/firefly"
	"canopy/plugins"
	"canopy/plugins/plugintest/rig"
	"canopy/plugins/wire/marker"
)

// lay puts a file where a server finds it.
func lay(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestServers copies from and to real ones.
func TestServers(t *testing.T) {
	data := content(5<<20 + 17)
	for name, c := range map[string]struct {
		start func(testing.TB, string, ...rig.Option) *rig.Server
		sums  string
	}{
		"apache": {rig.Apache, "false"}, "nginx": {rig.Nginx, "false"}, "xrootd": {rig.XRootD, "true"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := rig.TempDir(t)
			lay(t, dir, "f", data)
			s := c.start(t, dir)
			var got stored
			outcome, err := pull(t, &got, "Source: "+s.URL()+"/f", "RequireChecksumVerification: "+c.sums)
			if err != nil || !bytes.Equal(got.data, data) {
				t.Errorf("pull: %+v, %v", outcome, err)
			}
			var refusal *Refusal
			if _, err := pull(t, &got, "Source: "+s.URL()+"/none"); !asRefusal(err, &refusal) || refusal.Status != 404 {
				t.Errorf("pull of what is not there: %v", err)
			}
			file := fileOf(data, sum("adler32", data))
			outcome, err = push(t, file, "Destination: "+s.URL()+"/g", "RequireChecksumVerification: "+c.sums, "Overwrite: F")
			if there, _ := os.ReadFile(filepath.Join(dir, "g")); err != nil || !bytes.Equal(there, data) {
				t.Errorf("push: %+v, %v, %d bytes", outcome, err, len(there))
			}
			if _, err := push(t, file, "Destination: "+s.URL()+"/g", "Overwrite: F"); !asRefusal(err, &refusal) || refusal.Status != 412 {
				t.Errorf("push to what is there: %v", err)
			}
			outcome, err = push(t, fileOf(data, sum("md5", data[1:])), "Destination: "+s.URL()+"/h")
			if _, missing := os.Stat(filepath.Join(dir, "h")); err == nil || !os.IsNotExist(missing) {
				t.Errorf("push of what is not what was stated: %+v, %v", outcome, err)
			}
		})
	}
}

func asRefusal(err error, to **Refusal) bool {
	r, ok := err.(*Refusal)
	*to = r
	return ok
}

// TestSourceDies has the source break off over and over, and then vanish for a
// while.
func TestSourceDies(t *testing.T) {
	data := content(5<<20 + 17)
	dir := rig.TempDir(t)
	lay(t, dir, "f", data)
	s := rig.Apache(t, dir)
	for _, streams := range []string{"1", "4"} {
		toxic := rig.Toxic(t, s.URL())
		toxic.Cut(1 << 20)
		tr, err := agent(t, Options{}).Pull(t.Context(), order(t, "Source: "+toxic.URL()+"/f", "X-Number-Of-Streams: "+streams), func(_ context.Context, from io.Reader, _ int64, _ []plugins.Digest) error {
			var got bytes.Buffer
			if _, err := io.CopyN(&got, from, 2<<20); err != nil {
				return err
			}
			toxic.Reset()
			toxic.Heal()
			if _, err := io.Copy(&got, from); err != nil {
				return err
			}
			if !bytes.Equal(got.Bytes(), data) {
				t.Error("what arrived is not what was sent")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if err := tr.Run(w); err != nil || tr.Bytes() != int64(len(data)) {
			t.Errorf("%s streams: %v after %d bytes", streams, err, tr.Bytes())
		}
		if got := read(t, w); got.outcome.State != marker.Success || !strings.HasPrefix(got.markers[0].Remote[0], "tcp:127.0.0.1:") {
			t.Errorf("%s streams: %+v", streams, got)
		}
	}
}

// TestDestinationDies cuts the connection while the file is sent.
func TestDestinationDies(t *testing.T) {
	data := content(5<<20 + 17)
	dir := rig.TempDir(t)
	s := rig.XRootD(t, dir)
	toxic := rig.Toxic(t, s.URL())
	file := File{Size: int64(len(data)), Open: func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(data[:2<<20]), reader(func([]byte) (int, error) {
			toxic.Reset()
			toxic.Heal()
			return 0, io.EOF
		}), bytes.NewReader(data[2<<20:]))), nil
	}}
	outcome, err := push(t, file, "Destination: "+toxic.URL()+"/f")
	if err == nil || outcome.State != marker.Failure || strings.Contains(outcome.Message, "removed") {
		t.Errorf("%+v, %v", outcome, err)
	}
	if _, missing := os.Stat(filepath.Join(dir, "f")); !os.IsNotExist(missing) {
		t.Errorf("a part of the file is left: %v", missing)
	}
}

// TestFireflies: a collector is told of a copy that has a SciTag, and of no other.
func TestFireflies(t *testing.T) {
	data := content(100_017)
	dir := rig.TempDir(t)
	lay(t, dir, "f", data)
	s := rig.Apache(t, dir)
	collector, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	beacon, err := firefly.Open(collector.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer beacon.Close()
	var none stored
	if _, err := agent(t, Options{Beacon: beacon}).Pull(t.Context(), order(t, "Source: "+s.URL()+"/none", "SciTag: 130"), none.store); err == nil {
		t.Error("what is not there was pulled")
	}
	for _, tag := range []string{"", "64", "130"} {
		more := []string{"Source: " + s.URL() + "/f"}
		if tag != "" {
			more = append(more, "SciTag: "+tag)
		}
		var got stored
		tr, err := agent(t, Options{Beacon: beacon}).Pull(t.Context(), order(t, more...), got.store)
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.Run(httptest.NewRecorder()); err != nil {
			t.Fatal(err)
		}
	}
	seen := ""
	for strings.Count(seen, `"state":"end"`) < 2 { // of what was refused, and of what was copied
		b := make([]byte, 4096)
		if err := collector.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := collector.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		seen += string(b[:n]) + "\n"
		if !strings.Contains(string(b[:n]), `"experiment-id":2,"activity-id":2`) {
			t.Errorf("of another flow: %s", b[:n])
		}
	}
	if strings.Count(seen, `"state":"start"`) != 2 || !strings.Contains(seen, fmt.Sprintf(`"received":%d`, len(data))) {
		t.Error(seen)
	}
}
