package transfer

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"canopy/plugins"
	"canopy/plugins/plugintest/rig"
)

// TestDavix has a client of the grid order copies, both ways.
func TestDavix(t *testing.T) {
	data := content(300_000)
	dir := rig.TempDir(t)
	lay(t, dir, "f", data)
	other := rig.Apache(t, dir)
	a := agent(t, Options{})
	var got stored
	ended := make(chan error, 1)
	here := party(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "COPY" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if !Asked(r.Header, r.Host) {
			t.Errorf("header %v", r.Header)
		}
		o, err := Parse(r.Header)
		if err != nil {
			t.Error(err)
			return
		}
		var tr *Transfer
		if o.Mode == Pull {
			tr, err = a.Pull(r.Context(), o, got.store)
		} else {
			sums := []plugins.Digest{sum("adler32", data)}
			if r.Header.Get("X-Spoil") != "" {
				sums[0] = sum("adler32", data[1:])
			}
			tr, err = a.Push(r.Context(), o, fileOf(data, sums...))
		}
		var refusal *Refusal
		if errors.As(err, &refusal) {
			http.Error(w, refusal.Sentence, refusal.Status)
			return
		}
		ended <- tr.Run(w)
	})
	davix := func(arguments ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "davix-cp", arguments...).CombinedOutput()
		return string(out), err
	}
	if out, err := davix("--copy-mode", "pull", other.URL()+"/f", here.URL+"/f"); err != nil || <-ended != nil || !bytes.Equal(got.data, data) {
		t.Errorf("pull: %v: %s", err, out)
	}
	out, err := davix("--copy-mode", "push", here.URL+"/f", other.URL()+"/g")
	if there, _ := os.ReadFile(filepath.Join(dir, "g")); err != nil || <-ended != nil || !bytes.Equal(there, data) {
		t.Errorf("push: %v: %s", err, out)
	}
	if out, err := davix("--copy-mode", "pull", other.URL()+"/none", here.URL+"/f"); err == nil || !strings.Contains(out, "404") {
		t.Errorf("a source that is not there: %v: %s", err, out)
	}
	if out, err := davix("-H", "X-Spoil: 1", "--copy-mode", "push", here.URL+"/f", other.URL()+"/h"); err == nil || !errors.Is(<-ended, errSum) {
		t.Errorf("a wrong checksum: %v: %s", err, out)
	}
}
