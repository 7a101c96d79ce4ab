package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"canopy/cmd/canopy/client"
	"canopy/cmd/canopy/client/transfer"
	"canopy/cmd/canopy/client/upload"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// cp copies from server to server.
type cp struct {
	access
	From      string `arg:"" help:"The file, or within one server the directory."`
	To        string `arg:"" help:"The URL of the copy, or a path at the same server; what is an existing directory, or ends in a slash, is where to put it."`
	Recursive bool   `short:"r" help:"Copy a directory with all that is below it; within one server only."`
	Overwrite bool   `short:"f" help:"Replace a file that is there."`
	Stream    bool   `help:"Copy through this machine, where the servers cannot."`
	Streams   int    `placeholder:"N" help:"Let the servers use so many connections, as far as they can."`
	Delegate  bool   `help:"Pass on password or token to the server that copies, for the other one; whoever it sends the request on to sees it, too."`
	Checksum  string `placeholder:"ALG" help:"Demand that both servers tell this checksum, and the same. Otherwise adler32 is compared if both know it, and the size."`
	Quiet     bool   `short:"q" help:"Show no progress and no warnings."`
	JSON      bool   `help:"Print a JSON object."`
}

// Examples are shown in the help.
func (cp) Examples() string {
	return `
canopy cp https://lyon.example.org/atlas/run1.root https://tokyo.example.org/atlas/
canopy cp --bearer-file token --delegate davs://lyon.example.org/run1.root davs://tokyo.example.org/run1.root
canopy cp -r https://data.example.org/atlas/2025 /atlas/backup/2025
canopy cp --stream https://www.example.org/list.txt https://data.example.org/list.txt
`
}

// Run copies it.
func (c cp) Run(w *world) error {
	from, to, err := c.plan()
	if err != nil {
		return err
	}
	with, err := c.open(w, from, to)
	if err != nil {
		return err
	}
	defer with.Close()
	e, to, err := c.place(w.ctx, with, from, to)
	if err != nil {
		return single(w, &c.access, "cp", err)
	}
	from.Collection = e.Kind == plugins.Directory
	local := from.Origin == to.Origin && !c.Stream
	switch {
	case from.Collection && !c.Recursive:
		err = fmt.Errorf("%s: it is a directory; add -r to copy all that is in it", shownURL(from))
	case from.Collection && !local:
		err = fmt.Errorf("%s: directories are copied within one server only; canopy get -r and put -r lead to another one", shownURL(from))
	case within(to, from):
		err = fmt.Errorf("%s: a directory cannot be copied into itself", shownURL(from))
	default:
		err = vacant(w.ctx, with, to, c.Overwrite, "--overwrite replaces it")
	}
	switch {
	case err != nil:
	case local:
		err = c.within(w, with, from, to)
	default:
		err = c.across(w, with, e, from, to)
	}
	if err != nil {
		return single(w, &c.access, "cp", err)
	}
	return nil
}

// plan reads the arguments.
func (c *cp) plan() (from, to client.Address, err error) {
	if from, err = address(c.From); err != nil {
		return from, to, err
	}
	if to, err = beside(from, c.To); err != nil {
		return from, to, err
	}
	if c.Checksum != "" {
		algorithm, known := digest.Name(c.Checksum)
		if !known || digest.New(algorithm) == nil {
			return from, to, usage{fmt.Errorf("cp: --checksum: %s is not known; take adler32, crc32c, md5, sha-256 or sha-512", shown(c.Checksum))}
		}
		c.Checksum = algorithm
	}
	switch {
	case c.Streams < 0 || c.Streams > 64:
		return from, to, usage{errors.New("cp: --streams must be from 1 to 64")}
	case c.Stream && (c.Delegate || c.Streams > 0):
		return from, to, usage{errors.New("cp: --delegate and --streams are for servers that copy; leave out --stream")}
	case from.Query != "" && from.Origin == to.Origin && !c.Stream:
		return from, to, usage{errors.New("cp: within one server a URL with a ?query cannot be copied; add --stream")}
	}
	return from, to, nil
}

// place returns what is at from, and the address for the copy.
func (c *cp) place(ctx context.Context, with *client.Client, from, to client.Address) (plugins.Entry, client.Address, error) {
	if from.Query == "" {
		return place(ctx, with, from, to)
	}
	// A signed URL is good for reading only, and for no directory.
	e, err := with.Stat(ctx, from)
	if to.Collection {
		to = to.Join(from.Name())
	}
	return e, to, err
}

// within lets one server copy by itself.
func (c *cp) within(w *world, with *client.Client, from, to client.Address) error {
	err := with.Duplicate(w.ctx, from, to, c.Overwrite)
	switch kind := plugins.KindOf(err); {
	case err == nil:
		return moved(w, c.JSON, from, to)
	case (kind == plugins.Unsupported || kind == plugins.Invalid) && !from.Collection:
		return hinted{err, "; --stream copies through this machine"}
	}
	return err
}

// across copies a file from one server to another.
func (c *cp) across(w *world, with *client.Client, e plugins.Entry, from, to client.Address) error {
	if _, err := with.MakeAll(w.ctx, to.Parent()); err != nil {
		switch plugins.KindOf(err) {
		case plugins.Denied, plugins.Unsupported:
			// Who may write need not be able to look.
		default:
			return err
		}
	}
	bars := newBars(w, c.Quiet)
	bar := bars.start(cmp.Or(to.Name(), to.Origin), e.Size)
	var result transfer.Result
	var err error
	if c.Stream {
		result, err = c.through(w, with, e, from, to, bars, bar)
	} else {
		result, err = c.third(w, with, from, to, bar)
	}
	bar.end(err)
	bars.close()
	if err != nil || !c.JSON {
		return err
	}
	object := struct {
		From     string            `json:"from"`
		To       string            `json:"to"`
		Size     *int64            `json:"size,omitempty"`
		Mode     string            `json:"mode"`
		Verified map[string]string `json:"verified,omitempty"`
	}{From: shownURL(from), To: shownURL(to), Mode: result.Mode}
	if result.Size >= 0 {
		object.Size = &result.Size
	}
	if d := result.Verified; d.Algorithm != "" {
		object.Verified = map[string]string{d.Algorithm: digest.Hex(d)}
	}
	return w.object(object)
}

// third lets one of the servers copy.
func (c *cp) third(w *world, with *client.Client, from, to client.Address, b *bar) (transfer.Result, error) {
	var at int64
	copier := &transfer.Copier{
		Server: with, Checksum: c.Checksum,
		Terms: client.Terms{Replace: c.Overwrite, Streams: c.Streams, Verify: c.Checksum != "", Delegate: c.Delegate},
		Progress: func(total int64) {
			b.add(total - at)
			at = total
		},
	}
	result, err := copier.File(w.ctx, from, to)
	if errors.Is(err, transfer.ErrUnable) {
		err = hinted{err, "; --stream copies through this machine"}
	}
	return result, err
}

// through reads the file here and sends it on.
func (c *cp) through(w *world, with *client.Client, e plugins.Entry, from, to client.Address, bars *bars, b *bar) (transfer.Result, error) {
	source := upload.Source{Size: e.Size, ModTime: e.ModTime, Open: func() (io.ReadCloser, error) {
		body, _, err := with.Open(w.ctx, from.String(), plugins.Whole)
		if err != nil {
			return nil, err
		}
		return body, nil
	}}
	u := &upload.Uploader{
		Server: with, Sender: with, Patience: patience(), Checksum: c.Checksum, Replace: c.Overwrite,
		Notice: func(text string) {
			if !c.Quiet && !bars.log("canopy: warning: "+text) {
				w.warn("%s", text)
			}
		},
	}
	r, err := u.File(w.ctx, upload.Job{To: to, Source: source, Progress: b.add})
	return transfer.Result{Size: r.Size, Mode: "stream", Verified: r.Verified}, err
}
