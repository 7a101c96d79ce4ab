package main

import (
	"slices"
	"strings"
)

const (
	module = "canopy"
	// maxLines is the longest that a file may be.
	maxLines = 600
)

// fence says what packages may import. Paths are within the module; one that
// ends in /... stands for what is below it as well.
type fence struct {
	// packages are whom it concerns, but not those in but.
	packages, but []string
	// may are the packages of the module that they may import, themselves
	// and what is below them apart.
	may []string
	// not are packages of others that they may not import.
	not []string
	// why is the reason, which the message gives.
	why string
	// tests is whether it holds for test files too.
	tests bool
}

// wire are the formats and the client that endpoint types share.
var wire = []string{"plugins", "plugins/wire/...", "plugins/webclient"}

var fences = []fence{
	{packages: []string{"plugins"}, why: "the contract depends on nobody"},
	{packages: []string{"plugins/wire/..."}, may: []string{"plugins", "plugins/wire/..."}, why: "formats know the contract's words and each other"},
	{packages: []string{"plugins/webclient"}, may: []string{"plugins", "plugins/wire/..."}, why: "the client is below the endpoint types"},
	{
		packages: []string{"plugins/..."}, but: []string{"plugins", "plugins/wire/...", "plugins/webclient", "plugins/all", "plugins/plugintest/..."},
		may: wire, why: "endpoint types and decorators know the contract, and not each other",
	},
	{packages: []string{"plugins/plugintest/..."}, may: append(wire, "plugins/plugintest/..."), why: "the conformance suite knows no endpoint type"},
	{packages: []string{"nametrans"}, not: []string{"net/...", "os", "io/..."}, why: "names are pure functions", tests: false},
	{packages: []string{"cache/..."}, may: []string{"cache"}, not: []string{"net/http"}, why: "a cache knows nothing of what it keeps"},
	{packages: []string{"federator/..."}, may: []string{"federator/...", "cache", "nametrans", "plugins"}, not: []string{"net/http"}, why: "the federator knows no endpoint type and no HTTP"},
	{packages: []string{"web"}, not: []string{"net/http", "net"}, why: "pages know no network"},
	{
		packages: []string{"frontend/..."}, may: []string{"frontend/...", "federator/...", "cache", "web", "plugins", "plugins/wire/..."},
		why: "the front end knows no endpoint type and no configuration file",
	},
	{packages: []string{"configs/..."}, but: []string{"configs/internal/..."}, may: []string{"configs/...", "nametrans", "plugins"}, not: []string{"net/http"}, why: "what can be configured knows not what is done with it"},
	{packages: []string{"..."}, not: []string{"log", "github.com/stretchr/...", "encoding/gob"}, why: "one way to log, no assertion framework, no format that trusts its input", tests: true},
}

// check reports the imports of p that the fence forbids.
func (f *fence) check(p *pkg, say func(string, ...any)) {
	path := p.path()
	if !within(path, f.packages) || within(path, f.but) {
		return
	}
	imports := p.Imports
	if f.tests {
		imports = slices.Concat(imports, p.TestImports, p.XTestImports)
	}
	for _, i := range imports {
		own, inside := strings.CutPrefix(i, module+"/")
		switch {
		case inside && within("...", f.packages):
		case inside && own != path && !strings.HasPrefix(own, path+"/") && !within(own, f.may):
			say("%s imports %s: %s", path, own, f.why)
		case !inside && within(i, f.not):
			say("%s imports %s: %s", path, i, f.why)
		}
	}
}

// within reports whether path is one of the patterns.
func within(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if p == "..." {
			return true
		}
		root, below := strings.CutSuffix(p, "/...")
		return path == root || below && strings.HasPrefix(path, root+"/")
	})
}
