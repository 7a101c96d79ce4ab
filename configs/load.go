package configs

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"canopy/configs/decode"
	"canopy/configs/source"
	"canopy/plugins"
)

// Load reads the configuration file called name, whose endpoints are of the
// types given. The error is source.Problems, one line each, if the file could
// be read.
func Load(name string, types *plugins.Registry) (*Config, error) {
	text, err := read(name)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	// A relative name would mean something else to whoever needs a whole one.
	folder, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	return parse(name, folder, text, types, os.LookupEnv)
}

// read returns at most one byte more than Parse accepts.
func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, source.MaxBytes+1))
}

// Parse is Load for the text of a file; lookup finds environment variables.
// Relative names in the text are taken from the folder of name.
func Parse(name string, text []byte, types *plugins.Registry, lookup func(string) (string, bool)) (*Config, error) {
	return parse(name, filepath.Dir(name), text, types, lookup)
}

// parse takes relative names from folder.
func parse(name, folder string, text []byte, types *plugins.Registry, lookup func(string) (string, bool)) (*Config, error) {
	root, problems := source.Parse(name, text, lookup)
	if root == nil {
		return nil, problems
	}
	c := Default()
	d := &decode.Decoder{
		File:        name,
		Folder:      folder,
		Unsupported: later(),
		Companion: func(target any, get func(string) string) (any, bool) {
			e, ok := target.(*Endpoint)
			if !ok {
				return nil, true
			}
			t, ok := types.Lookup(get("type"))
			if !ok {
				return nil, false
			}
			e.Config = t.New()
			return e.Config, true
		},
	}
	d.Decode(root, c)
	// What the source could not make sense of has been replaced by nothing,
	// which would only be complained of again.
	if len(problems) == 0 {
		validate(c, d, types)
	}
	if all := slices.Concat(problems, d.Problems()); len(all) > 0 {
		return nil, distinct(all)
	}
	c.files = append([]decode.File{{Name: name}}, d.Files()...)
	return c, nil
}

// distinct sorts problems and keeps the first of those with the same key.
func distinct(all source.Problems) source.Problems {
	type subject struct {
		source.Position
		path string
	}
	seen := make(map[subject]bool)
	all = slices.DeleteFunc(all, func(p source.Problem) bool {
		s := subject{p.Position, p.Path}
		again := seen[s] && p.Path != ""
		seen[s] = true
		return again
	})
	return all.Sort()
}

// later lists the keys of the published format that this version refuses.
func later() map[string]string {
	const text = "this version does not support it yet; remove it"
	return map[string]string{
		"auth.oidc": text, "auth.macaroon": text, "auth.x509": text, "join": text,
	}
}

// laterTypes are the endpoint types of the published format that this version
// may lack.
var laterTypes = []string{"dav", "http", "s3", "azure", "local", "rucio", "hashed", "sharded", "ec", "index", "canopy"}

// CheckFiles reports the files that the configuration names and that cannot
// be read, as source.Problems.
func (c *Config) CheckFiles() error {
	var problems source.Problems
	for _, f := range c.files[1:] {
		if text := unreadable(f); text != "" {
			problems = append(problems, source.Problem{File: c.files[0].Name, Position: f.Position, Path: f.Path, Text: text})
		}
	}
	if len(problems) > 0 {
		return problems.Sort()
	}
	return nil
}

func unreadable(f decode.File) string {
	h, err := os.Open(f.Name)
	if err != nil {
		return fmt.Sprintf("cannot be read: %s; create it or correct the name", err)
	}
	defer h.Close()
	switch info, err := h.Stat(); {
	case err != nil:
		return fmt.Sprintf("cannot be read: %s; correct the name", err)
	case f.Directory && !info.IsDir():
		return fmt.Sprintf("%s is not a directory; name one", f.Name)
	case !f.Directory && info.IsDir():
		return fmt.Sprintf("%s is a directory; name a file in it", f.Name)
	}
	return ""
}
