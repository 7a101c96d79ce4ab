package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"canopy/cmd/canopy/client"
	"canopy/cmd/canopy/client/download"
)

// plan is what get is to do, according to the command line.
type plan struct {
	from []client.Address
	// to is the file or folder, "" for the present folder and "-" for
	// standard output.
	to string
	// exact is whether to is a file even if it looks like a folder, folder
	// whether it is a folder even if it does not exist.
	exact, folder bool
}

// plan reads the arguments.
func (g get) plan() (plan, error) {
	p := plan{to: g.Output, exact: g.Output != "", folder: g.Recursive}
	urls := g.URLs
	if last := urls[len(urls)-1]; len(urls) > 1 && !strings.Contains(last, "://") {
		if g.Output != "" {
			return p, usage{errors.New("get: keep one of -o FILE and the last argument")}
		}
		p.to, urls = last, urls[:len(urls)-1]
	}
	for _, raw := range urls {
		a, err := address(raw)
		if err != nil {
			return p, err
		}
		p.from = append(p.from, a)
	}
	if g.Checksum != "" {
		if _, err := checksum(g.Checksum); err != nil {
			return p, err
		}
	}
	single := len(urls) == 1 && !g.Recursive
	p.folder = p.folder || !single
	switch {
	case g.Streams < 1 || g.Streams > 64:
		return p, usage{errors.New("get: --streams must be from 1 to 64")}
	case g.Checksum != "" && g.NoChecksum:
		return p, usage{errors.New("get: keep one of --checksum and --no-checksum")}
	case g.Checksum != "" && !single:
		return p, usage{errors.New("get: --checksum is that of one file; name one")}
	case p.exact && !single:
		return p, usage{errors.New("get: -o is for one file; name a folder as the last argument")}
	case p.to == "-" && !single:
		return p, usage{errors.New("get: only one file can go to standard output")}
	case p.to == "-" && g.JSON:
		return p, usage{errors.New("get: --json and the file cannot both go to standard output")}
	}
	return p, nil
}

// destination is where files go: into a folder, or a stream.
type destination struct {
	root *os.Root
	// shown is the folder as the user wrote it.
	shown string
	// file is the name in the folder of the one file, "" for that of its URL.
	file string
	// stream is set instead when the file goes there in order.
	stream io.Writer
	device *os.File
	stdout bool
}

// open opens or makes the folder or device.
func (p plan) open(w *world) (*destination, error) {
	if p.to == "-" {
		return &destination{stream: w.stdout, stdout: true}, nil
	}
	to := p.to
	if to == "" {
		to = "."
	}
	info, err := os.Stat(to)
	exists := err == nil
	switch {
	case !p.exact && (p.folder || exists && info.IsDir() || os.IsPathSeparator(to[len(to)-1])):
		if err := os.MkdirAll(to, 0o777); err != nil {
			return nil, err
		}
		return into(to, "")
	case exists && !info.IsDir() && !info.Mode().IsRegular():
		// A device or FIFO must be written to, not replaced.
		device, err := os.OpenFile(to, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		return &destination{stream: device, device: device, shown: to}, nil
	case exists:
		// What a link leads to is replaced, not the link.
		if to, err = filepath.EvalSymlinks(to); err != nil {
			return nil, err
		}
	}
	return into(filepath.Dir(to), filepath.Base(to))
}

func into(folder, file string) (*destination, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	return &destination{root: root, shown: folder, file: file}, nil
}

func (d *destination) close() {
	if d.root != nil {
		d.root.Close()
	}
	if d.device != nil {
		d.device.Close()
	}
}

// toStdout reports whether standard output is taken.
func (d *destination) toStdout() bool { return d.stdout }

// name is where the file a, which the user named, goes within the folder.
func (d *destination) name(a client.Address) string {
	if d.file != "" {
		return d.file
	}
	return a.Name()
}

// path is name as the user would write it.
func (d *destination) path(name string) string {
	if d.root == nil {
		return d.shown
	}
	return filepath.Join(d.shown, filepath.FromSlash(name))
}

// folder makes a folder in the destination, which "" is itself.
func (d *destination) folder(name string) error {
	if name == "" {
		return nil
	}
	return d.root.MkdirAll(name, 0o777)
}

// fetch brings job to name.
func (d *destination) fetch(ctx context.Context, with *download.Downloader, job download.Job, name string) (download.Result, error) {
	if d.stream != nil {
		return with.Stream(ctx, job, d.stream)
	}
	if name == "" {
		return download.Result{}, errors.New("the URL has no file name; give one with -o FILE")
	}
	return with.File(ctx, job, d.root, name)
}
