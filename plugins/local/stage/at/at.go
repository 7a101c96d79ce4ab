// Package at changes the names in directories that are open.
//
// A directory found once stays the one that is meant, whatever becomes of its
// path: what is done in it cannot be led elsewhere by a symbolic link that
// somebody slips in between. No name given here is followed if it is a link.
//
// Errors carry the number of the operating system; errors.ErrUnsupported is
// what a system or file system cannot do at all.
package at

import "os"

// Same reports whether two open files are one.
func Same(f, g *os.File) bool {
	x, err := f.Stat()
	if err != nil {
		return false
	}
	y, err := g.Stat()
	return err == nil && os.SameFile(x, y)
}
