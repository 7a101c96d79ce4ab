package configs

import "fmt"

// Copies is how many copies of each file there are to be below a path.
type Copies struct {
	// The federation path from which on it holds. Of several that cover a
	// file, the longest decides.
	//
	// Example: /atlas
	Path string `yaml:"path" config:"required"`
	// How many copies, each on another endpoint, the one that was uploaded
	// included: 1 to 16. Endpoints that are being drained do not count.
	//
	// Example: 2
	Copies int `yaml:"copies" config:"required"`
}

// mostCopies bounds how many copies can be asked for.
const mostCopies = 16

func (v *validator) copies() {
	paths := make(map[string]int)
	for i, c := range v.config.Uploads.Copies {
		key := fmt.Sprintf("uploads.copies[%d]", i)
		if v.Has(key + ".copies") {
			v.between(key+".copies", c.Copies, 1, mostCopies)
		}
		if !v.Has(key+".path") || !v.clean(key+".path", c.Path) {
			continue
		}
		if j, dup := paths[c.Path]; dup {
			v.refuse(key+".path", "a second number for %s, first on line %d; keep one", c.Path, v.Line(fmt.Sprintf("uploads.copies[%d].path", j)))
			continue
		}
		paths[c.Path] = i
	}
}
