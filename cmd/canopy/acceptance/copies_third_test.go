package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"canopy/plugins/plugintest/rig"
)

// TestCopiesThird: storages that can make copies by themselves do, in both modes,
// and where one of them dies Canopy sees to the copies.
func TestCopiesThird(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"pull", "push"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			k := &keeping{t: t, dirs: map[string]string{"near": rig.TempDir(t), "far": rig.TempDir(t)}, config: filepath.Join(t.TempDir(), "canopy.yaml")}
			// The other party of who copies by itself is behind what can break.
			var far *rig.Proxy
			c := everything + "uploads: {place: first, cleanup: 2s, copies: [{path: /kept, copies: 2}]}\nendpoints:\n"
			add := func(name, url, more string) {
				c += fmt.Sprintf("  - {name: %s, type: dav, write: true, health: {every: 500ms}, url: %q%s}\n", name, url, more)
			}
			if mode == "pull" {
				far = rig.Toxic(t, rig.Apache(t, k.dirs["near"]).URL())
				add("near", far.URL(), "")
				add("far", rig.XRootD(t, k.dirs["far"], rig.ThirdParty()).URL(), ", third_party: [pull]")
			} else {
				far = rig.Toxic(t, rig.XRootD(t, k.dirs["far"]).URL())
				add("near", rig.XRootD(t, k.dirs["near"], rig.ThirdParty()).URL(), ", third_party: [push]")
				add("far", far.URL(), "")
			}
			if err := os.WriteFile(k.config, []byte(c), 0o600); err != nil {
				t.Fatal(err)
			}
			p := k.serve()
			if got := p.ask(t, "MKCOL", "/kept", ""); got != "201" {
				t.Fatal(got)
			}
			put := func(path, content string) {
				t.Helper()
				if got := p.ask(t, "PUT", path, content); got != "201" {
					t.Fatal(got)
				}
			}
			asked := func(endpoint, op string) bool {
				return regexp.MustCompile(`canopy_endpoint_questions_total\{endpoint="` + endpoint + `",[^}]*op="` + op + `"\} [1-9]`).MatchString(p.ask(t, "GET", "/-/metrics", ""))
			}
			put("/kept/f.bin", long)
			k.until("there are two copies", 30*time.Second, k.isOn("/kept/f.bin", long, 2))
			k.until("that is said", 20*time.Second, func() bool { return p.explained(t, "/kept/f.bin") == `{"have":2,"wanted":2,"making":false}` })
			if !asked(map[string]string{"pull": "far", "push": "near"}[mode], "copy") || asked("near", "open") || asked("far", "store") {
				t.Errorf("the bytes have come through here:\n%s", p.ask(t, "GET", "/-/metrics", ""))
			}

			far.Cut(100_000)
			put("/kept/g.bin", long)
			k.until("the copy has begun", 30*time.Second, func() bool { return p.explained(t, "/kept/g.bin") != `{"have":2,"wanted":2,"making":false}` })
			far.Heal()
			k.until("there are two copies of another", time.Minute, k.isOn("/kept/g.bin", long, 2))
			k.until("nothing is left behind", time.Minute, func() bool {
				for _, dir := range k.dirs {
					if left, _ := os.ReadDir(filepath.Join(dir, ".canopy-uploads")); len(left) > 0 {
						return false
					}
				}
				return true
			})
		})
	}
}
