package local

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"canopy/plugins"
)

// facts are what the file system says of a path.
type facts struct {
	mode    fs.FileMode
	size    int64
	changed time.Time
	inode   uint64
}

func factsOf(info fs.FileInfo) facts {
	return facts{info.Mode(), info.Size(), info.ModTime(), inode(info)}
}

// follow returns the facts of what p leads to below root.
func follow(root *os.Root, p string) (facts, error) {
	info, err := root.Stat(inside(p))
	if err != nil {
		return facts{}, err
	}
	return factsOf(info), nil
}

// entry describes what the facts are of; false if that is no entry.
func (f facts) entry(name string) (plugins.Entry, bool) {
	e := plugins.Entry{Name: name, Kind: plugins.File, Size: f.size, ModTime: f.changed}
	switch {
	case f.mode.IsDir():
		e.Kind, e.Size = plugins.Directory, -1
	case f.mode.IsRegular():
		e.ETag = f.tag()
	default:
		return plugins.Entry{}, false
	}
	return e, true
}

// tag makes a strong entity tag: a file that was rewritten has another time,
// one that was replaced another inode.
func (f facts) tag() string {
	b := append(make([]byte, 0, 48), '"')
	b = strconv.AppendInt(b, f.changed.UnixNano(), 36)
	b = append(b, '-')
	b = strconv.AppendInt(b, f.size, 36)
	b = append(b, '-')
	b = strconv.AppendUint(b, f.inode, 36)
	return string(append(b, '"'))
}

// inside returns the form of a path that os.Root wants.
func inside(p string) string {
	if p == "/" {
		return "."
	}
	return filepath.FromSlash(strings.TrimPrefix(p, "/"))
}

// base returns the name of a path as an Entry has it.
func base(p string) string {
	if p == "/" {
		return ""
	}
	return path.Base(p)
}
