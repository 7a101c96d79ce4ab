package upload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxLevels bounds how deep a tree is followed.
const maxLevels = 128

// Found is what Walk comes across.
type Found struct {
	// Local is the path on this machine, Names are the components of the path
	// below where the walk began; none is that directory itself.
	Local string
	Names []string
	// Directory is whether it is one; its children follow.
	Directory bool
}

// Walk passes the directory root, all files and directories below it to yield,
// each directory before what is in it. Symbolic links to files are followed,
// those to directories are not, lest a tree be endless or leave what the user
// has named. What cannot be uploaded goes to fail, and the walk goes on; an
// error of yield passes over a directory's contents.
func Walk(root string, yield func(Found) error, fail func(error)) {
	walk(Found{Local: root, Directory: true}, yield, fail)
}

func walk(at Found, yield func(Found) error, fail func(error)) {
	if len(at.Names) > maxLevels {
		fail(fmt.Errorf("%s: deeper than %d directories", at.Local, maxLevels))
		return
	}
	if err := yield(at); err != nil || !at.Directory {
		if err != nil {
			fail(fmt.Errorf("%s: %w", at.Local, err))
		}
		return
	}
	entries, err := os.ReadDir(at.Local)
	if err != nil {
		fail(err)
	}
	for _, e := range entries {
		below := Found{
			Local: filepath.Join(at.Local, e.Name()), Directory: e.IsDir(),
			Names: append(at.Names[:len(at.Names):len(at.Names)], e.Name()),
		}
		if err := suitable(below.Local, e); err != nil {
			fail(fmt.Errorf("%s: %w", below.Local, err))
			continue
		}
		walk(below, yield, fail)
	}
}

// suitable says why e cannot be uploaded.
func suitable(local string, e fs.DirEntry) error {
	switch mode := e.Type(); {
	case mode.IsDir(), mode.IsRegular():
		return nil
	case mode&fs.ModeSymlink == 0:
		return errors.New("it is no ordinary file")
	}
	info, err := os.Stat(local)
	switch {
	case err != nil:
		return errors.New("the link leads nowhere")
	case info.IsDir():
		return errors.New("links to directories are not followed; name it on the command line")
	case !info.Mode().IsRegular():
		return errors.New("it is no ordinary file")
	}
	return nil
}
