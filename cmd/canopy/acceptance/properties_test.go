package acceptance

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"canopy/plugins/plugintest/rig"
)

// keepers are federations whose endpoints keep properties.
var keepers = map[string]func(t *testing.T) (config string){
	"local": func(t *testing.T) string {
		return fmt.Sprintf("  - {name: attic, type: local, root: %q, write: true}\n", t.TempDir())
	},
	"apache": func(t *testing.T) string { return apache(t, "geneva") },
	"both": func(t *testing.T) string {
		return apache(t, "geneva") + fmt.Sprintf("  - {name: attic, type: local, root: %q, write: true}\n", t.TempDir())
	},
	"two of apache": func(t *testing.T) string { return apache(t, "geneva") + apache(t, "bologna") },
}

// apache is an endpoint that anybody may write to.
func apache(t *testing.T, name string) string {
	t.Helper()
	dir := rig.TempDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("  - {name: %s, type: dav, url: %q, write: true}\n", name, rig.Apache(t, dir).URL())
}

// TestLitmusProperties runs the props suite of litmus.
func TestLitmusProperties(t *testing.T) {
	for name, endpoints := range keepers {
		t.Run(name, func(t *testing.T) {
			_, base := serve(t, everything+"endpoints:\n"+endpoints(t))
			c := newClient(t)
			c.env = append(c.env, "TESTS=props")
			out, err := c.try("litmus", "-k", base+"/")
			if err != nil || !strings.Contains(out, "100.0%") || strings.Contains(out, "FAIL") || strings.Contains(out, "WARNING") || strings.Contains(out, "SKIPPED") {
				t.Errorf("litmus: %v\n%s", err, out)
			}
		})
	}
}

// TestPropertiesOfClients: what cadaver notes of a file it finds again, also
// after the file was moved and written over.
func TestPropertiesOfClients(t *testing.T) {
	for name, endpoints := range keepers {
		t.Run(name, func(t *testing.T) {
			_, base := serve(t, everything+"endpoints:\n"+endpoints(t))
			c := newClient(t)
			write(t, c.dir+"/file.txt", content("first"))
			write(t, c.dir+"/.cadaverrc", "open "+base+"/\nput file.txt\nset namespace urn:example\npropset file.txt author Ada\n"+
				"move file.txt moved.txt\npropget moved.txt author\nquit\n")
			c.says(c.run("cadaver", "-r", c.dir+"/.cadaverrc"), "Value of author is: Ada")
			const names = `<propfind xmlns="DAV:"><propname/></propfind>`
			c.says(c.run("curl", "-fsS", "-X", "PROPFIND", "-H", "Depth: 0", "-d", names, base+"/moved.txt"), `<x:author xmlns:x="urn:example"/>`)
			const author = `<propfind xmlns="DAV:"><prop><author xmlns="urn:example"/></prop></propfind>`
			c.says(c.run("curl", "-fsS", "-X", "PROPFIND", "-H", "Depth: 1", "-d", author, base+"/"), `<x:author xmlns:x="urn:example">Ada</x:author>`)
		})
	}
}
