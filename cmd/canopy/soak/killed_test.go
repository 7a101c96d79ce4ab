package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"canopy/federator/write/history"
	"canopy/plugins"
	"canopy/plugins/plugintest/rig"
)

const (
	// uploads are under way when the front end is killed.
	uploads = 100
	// uploadSize is that of each, in bytes: more than anybody holds back.
	uploadSize = 1 << 20
	// cleaned bounds how long what they leave may lie there after the restart;
	// it is set to two seconds.
	cleaned = 30 * time.Second
)

// TestKilledWhileUploading kills a front end through which a hundred files are
// being uploaded, most of them halfway, others at their end.
func TestKilledWhileUploading(t *testing.T) {
	dirs := make(map[string]string)
	var c strings.Builder
	c.WriteString("listen: 127.0.0.1:0\nuploads: {cleanup: 2s}\naccess:\n  - {path: /, read: [anyone], list: [anyone], write: [anyone], delete: [anyone]}\nendpoints:\n")
	names := []string{"apache", "nginx", "rclone", "xrootd", "local"}
	for _, name := range names {
		dirs[name] = rig.TempDir(t)
		where := fmt.Sprintf("type: local, root: %q", dirs[name])
		if run := map[string]func(testing.TB, string, ...rig.Option) *rig.Server{
			"apache": rig.Apache, "nginx": rig.Nginx, "rclone": rig.Rclone, "xrootd": rig.XRootD,
		}[name]; run != nil {
			where = fmt.Sprintf("type: dav, url: %q, access: proxy", run(t, dirs[name]).URL())
		}
		fmt.Fprintf(&c, "  - {name: %s, mount: /%s, write: true, %s}\n", name, name, where)
	}
	f := newFront(t, "killed", c.String())
	w := newWriters(t.Context(), time.Second)
	defer w.stop()

	var acknowledged sync.Map
	some := make(chan bool, uploads) // one for each that is acknowledged
	end, dead, halfway := make(chan struct{}), make(chan struct{}), new(sync.WaitGroup)
	paths := make([]string, uploads)
	for n := range uploads {
		paths[n] = fmt.Sprintf("/%s/f%d.bin", names[n%len(names)], n)
		b := fileOf(history.Version(fmt.Sprint("upload-", n)), uploadSize)
		body := &gated{r: bytes.NewReader(b), half: len(b) / 2, at: halfway, end: dead}
		if n%4 == 0 {
			body.end = end
		}
		halfway.Add(1)
		w.wg.Go(func() {
			req, err := http.NewRequestWithContext(w.ctx, http.MethodPut, f.url()+paths[n], body)
			if err != nil {
				t.Error(err)
				return
			}
			req.ContentLength = int64(len(b))
			resp, err := w.http.Do(req)
			body.once.Do(halfway.Done) // which it has not come to if it was refused
			if err != nil {
				return // killed
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusCreated {
				t.Errorf("%s: %s", paths[n], resp.Status)
				return
			}
			acknowledged.Store(paths[n], true)
			some <- true
		})
	}
	halfway.Wait()
	// A quarter goes on to its end, and somewhere there the blow falls.
	close(end)
	for range uploads / 20 {
		select {
		case <-some:
		case <-time.After(cleaned):
			t.Fatal("no upload comes to its end")
		}
	}
	f.kill()
	close(dead)
	w.stop()
	t.Logf("%d of %d uploads were acknowledged before", uploads/20+len(some), uploads)
	f.start()

	left := func() (all []string) {
		for name, dir := range dirs {
			err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
				if errors.Is(err, fs.ErrNotExist) {
					return nil // removed meanwhile
				}
				if err != nil || d.IsDir() {
					return err
				}
				if strings.Contains(file, plugins.Staging) {
					all = append(all, name+": "+file)
					return nil
				}
				b, err := os.ReadFile(file)
				if err == nil {
					_, err = versionOf(b)
				}
				if err != nil {
					all = append(all, fmt.Sprintf("%s: %s: %v", name, file, err))
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	// What is seen is whole, from the first moment on.
	for _, p := range paths {
		_, must := acknowledged.Load(p)
		v, err := w.read(context.Background(), f, "the test", p)
		if err != nil || must && v == history.Absent {
			t.Errorf("%s is %q: %v; acknowledged: %t", p, v, err, must)
		}
	}
	for _, fault := range w.faults {
		t.Error(fault)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(cleaned)
	for begun := time.Now(); ; {
		all := left()
		if len(all) == 0 {
			t.Logf("all is clean after %v", time.Since(begun).Round(time.Millisecond))
			break
		}
		select {
		case <-tick.C:
			continue
		case <-limit:
			t.Errorf("%v after the restart there is still: %s", cleaned, strings.Join(all, "\n"))
		}
		break
	}
	w.http.CloseIdleConnections()
}

// gated is a body that stands still halfway until end is closed.
type gated struct {
	r    *bytes.Reader
	half int
	at   *sync.WaitGroup
	end  chan struct{}
	once sync.Once
}

func (g *gated) Read(p []byte) (int, error) {
	if sent := int(g.r.Size()) - g.r.Len(); sent < g.half {
		return g.r.Read(p[:min(len(p), g.half-sent)])
	}
	g.once.Do(g.at.Done)
	<-g.end
	return g.r.Read(p)
}
