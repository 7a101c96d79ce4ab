// Command refgen writes what is generated from the configuration types:
// docs/configuration.md, the reference for people, and
// configs/outline/comments.json, the documentation that the JSON Schema
// carries. Run it with go generate ./configs.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"canopy/plugins/all"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "refgen:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	files, err := generate(root, all.Registry())
	if err != nil {
		return err
	}
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// moduleRoot is the nearest folder upwards that holds go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.mod above the working directory; run go generate ./configs in the checkout")
		}
		dir = up
	}
}
