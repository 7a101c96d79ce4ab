// Command lint holds the code against the rules of the house: who may import
// whom, a package comment in every package, no file that has grown too long.
//
//	go run ./cmd/lint         prints what breaks a rule; exit 1 if anything does
//	go run ./cmd/lint -fuzz   prints every fuzz target: package, name
//
// The rules are in rules.go, each with its reason.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	fuzz := flag.Bool("fuzz", false, "print the fuzz targets instead")
	flag.Parse()
	packages, err := list()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(1)
	}
	if *fuzz {
		err = printTargets(os.Stdout, packages)
	} else {
		err = check(os.Stdout, packages)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(1)
	}
}

// pkg is what `go list` says of a package.
type pkg struct {
	ImportPath, Name, Dir              string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports []string
}

// path is the import path within the module, "" for its root.
func (p *pkg) path() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") }

func list() ([]pkg, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Dir,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var packages []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
}

func check(w io.Writer, packages []pkg) error {
	broken := 0
	say := func(format string, args ...any) {
		broken++
		fmt.Fprintf(w, format+"\n", args...)
	}
	for i := range packages {
		p := &packages[i]
		for _, f := range fences {
			f.check(p, say)
		}
		if err := checkComment(p, say); err != nil {
			return err
		}
		if err := checkLength(p, say); err != nil {
			return err
		}
	}
	if broken > 0 {
		return fmt.Errorf("%d rules of the house are broken", broken)
	}
	return nil
}

// checkComment wants one package comment, which begins as Go's conventions
// have it.
func checkComment(p *pkg, say func(string, ...any)) error {
	var found []string
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		if f.Doc == nil {
			continue
		}
		found = append(found, name)
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command "
		}
		if text := f.Doc.Text(); !strings.HasPrefix(text, want) {
			say("%s/%s: the package comment does not begin with %q", p.path(), name, want)
		}
	}
	switch {
	case len(p.GoFiles) > 0 && len(found) == 0:
		say("%s: no package comment", p.path())
	case len(found) > 1:
		say("%s: package comments in %s; one is enough", p.path(), strings.Join(found, " and "))
	}
	return nil
}

func checkLength(p *pkg, say func(string, ...any)) error {
	for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return err
		}
		if n := strings.Count(string(text), "\n"); n > maxLines {
			say("%s/%s: %d lines, %d at most: is it two things?", p.path(), name, n, maxLines)
		}
	}
	return nil
}

var fuzzTarget = regexp.MustCompile(`^func (Fuzz\w+)\(`)

func printTargets(w io.Writer, packages []pkg) error {
	for i := range packages {
		p := &packages[i]
		for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			f, err := os.Open(filepath.Join(p.Dir, name))
			if err != nil {
				return err
			}
			for s := bufio.NewScanner(f); s.Scan(); {
				if m := fuzzTarget.FindStringSubmatch(s.Text()); m != nil {
					fmt.Fprintln(w, p.ImportPath, m[1])
				}
			}
			if err := f.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}
