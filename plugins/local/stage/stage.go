// Package stage is where files are until they are complete.
//
//	f, err := stage.Create(root, dir)
//	defer f.Discard()
//	… write, sync …
//	err = f.Publish("name", false)
//
// Nobody sees a file before Publish, and after it nobody sees half of it: the
// name comes into being, or changes from the old file to the new one, in one
// step of the file system.
//
// # Where they are
//
// On Linux most file systems can hold a file without any name; it goes with the
// process, however that ends. Where they cannot, and for the moment in which a
// file takes another's place, there is a directory plugins.Staging at the root,
// and at the root of each further file system mounted below it, because no file
// moves from one to another in one step. It is made when first needed, and may
// be made beforehand where the root itself is not ours to write to.
//
// # What is left over
//
// A process that is killed may leave a file there. Each is locked by whoever
// writes it, so Sweep can tell those of the dead from those of the living, in
// whatever process they are. Where there are no locks it goes by their age.
package stage

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"time"

	"canopy/plugins"
	"canopy/plugins/local/stage/at"
)

// File is a file that is not complete. It is not safe for concurrent use.
type File struct {
	*os.File
	root *os.Root
	// dir is where it is to be, home where it is until then, under the name
	// temp; both are unset while it has no name.
	dir, home *os.File
	temp      string
}

// Create makes a file that is to be in dir, which is below root and stays open
// until the file is discarded.
func Create(root *os.Root, dir *os.File) (*File, error) {
	f := &File{root: root, dir: dir}
	var err error
	if f.File, err = at.Unnamed(dir); errors.Is(err, errors.ErrUnsupported) {
		return f, f.begin()
	}
	if err == nil {
		err = f.lock()
	}
	if err != nil {
		f.Discard()
	}
	return f, err
}

// lock tells Sweep that the file has an owner, where there are locks.
func (f *File) lock() error {
	_, err := at.Lock(f.File)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// begin creates the file with a name.
func (f *File) begin() error {
	err := f.settle()
	if err == nil {
		f.File, err = at.Open(f.home, f.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	}
	if err != nil {
		f.temp = ""
		f.Discard()
		return err
	}
	if err = f.lock(); err != nil {
		f.Discard()
	}
	return err
}

// settle finds a home and a name for the file.
func (f *File) settle() (err error) {
	if f.home == nil {
		if f.home, err = home(f.root, f.dir); err != nil {
			return err
		}
	}
	f.temp = rand.Text()
	return nil
}

// Publish gives the file its name. If it must be new, fs.ErrExist is the error
// if there is anything of that name; otherwise a file there is replaced, and a
// directory is an error.
func (f *File) Publish(name string, isNew bool) error {
	if f.temp == "" {
		err := at.Link(f.File, f.dir, name)
		if isNew || !errors.Is(err, fs.ErrExist) {
			return err
		}
		// Only what has a name can take another's place.
		if err := f.settle(); err != nil {
			return err
		}
		if err := at.Link(f.File, f.home, f.temp); err != nil {
			f.temp = ""
			return err
		}
	}
	rename := at.Rename
	if isNew {
		rename = at.RenameNew
	}
	err := rename(f.home, f.temp, f.dir, name)
	if err == nil {
		f.temp = ""
	}
	return err
}

// Discard closes the file and, if it was not published, does away with it.
func (f *File) Discard() {
	if f.temp != "" {
		// What cannot be removed now is left to Sweep.
		_ = at.Unlink(f.home, f.temp)
		f.temp = ""
	}
	if f.File != nil {
		f.File.Close()
	}
	if f.home != nil {
		f.home.Close()
	}
}

// open opens the staging directory in dir, and makes it if it is to be made.
func open(dir *os.File, create bool) (*os.File, error) {
	found, err := at.Open(dir, plugins.Staging, os.O_RDONLY|directory, 0)
	if !create || !errors.Is(err, fs.ErrNotExist) {
		return found, err
	}
	if err := at.Mkdir(dir, plugins.Staging, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return at.Open(dir, plugins.Staging, os.O_RDONLY|directory, 0)
}

// Sweep removes what is left over below root and has not been written to since
// before. It returns how many files it removed.
func Sweep(ctx context.Context, root *os.Root, before time.Time) (removed int, err error) {
	tops, err := tops(root.Name())
	for _, top := range tops {
		dir, openErr := root.OpenFile(top, os.O_RDONLY|directory, 0)
		if openErr != nil {
			// A file system that has gone has nothing left over.
			if !errors.Is(openErr, fs.ErrNotExist) {
				err = errors.Join(err, openErr)
			}
			continue
		}
		n, sweepErr := sweep(ctx, dir, before)
		removed += n
		err = errors.Join(err, sweepErr, dir.Close())
	}
	return removed, err
}

// sweep is Sweep for the file system of which top is the root.
func sweep(ctx context.Context, top *os.File, before time.Time) (removed int, err error) {
	dir, err := open(top, false)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	for _, name := range names {
		if ctx.Err() != nil {
			return removed, errors.Join(err, ctx.Err())
		}
		gone, removeErr := remove(dir, name, before)
		if gone {
			removed++
		}
		err = errors.Join(err, removeErr)
	}
	return removed, err
}

// remove removes name from dir if it is left over.
func remove(dir *os.File, name string, before time.Time) (bool, error) {
	f, err := at.Open(dir, name, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // published, or discarded, just now
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || !info.ModTime().Before(before) {
		return false, err
	}
	dead, err := at.Lock(f)
	if errors.Is(err, errors.ErrUnsupported) {
		dead, err = true, nil // its age must do
	}
	if err != nil || !dead {
		return false, err
	}
	if err := at.Unlink(dir, name); err != nil {
		return false, err
	}
	return true, nil
}
