package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"canopy/cmd/canopy/client"
	"canopy/cmd/canopy/client/upload"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// put uploads files.
type put struct {
	access
	Sources   []string `arg:"" name:"source" help:"Files, with -r directories, or - for standard input. The last argument is the URL of the directory or file to put them at."`
	Recursive bool     `short:"r" help:"Upload directories with all that is below, each into a directory of its name; DIR/. stands for what is in it."`
	Jobs      int      `short:"j" default:"4" help:"How many files are sent at once."`
	Overwrite bool     `short:"f" help:"Replace files that are there."`
	Update    bool     `short:"u" help:"Leave out files that are there and equal, and replace those that differ."`
	Checksum  string   `placeholder:"ALG" help:"Demand that the server confirms this checksum of every file, such as sha-256 or md5. Otherwise adler32 is compared if the server knows it, and the size."`
	NoResume  bool     `help:"Send every file at once, also where the server takes large ones in pieces. Otherwise the same command goes on where a broken or interrupted one was."`
	Quiet     bool     `short:"q" help:"Show no progress, no warnings and no totals."`
	JSON      bool     `help:"Print one JSON object a file, and one with the totals."`
}

// Examples are shown in the help.
func (put) Examples() string {
	return `
canopy put run1.root https://data.example.org/atlas/run1.root
canopy put -j 8 --update -r results https://data.example.org/atlas/
canopy put --checksum sha-256 a.root b.root https://data.example.org/atlas/
canopy put --overwrite - https://data.example.org/atlas/list.txt
`
}

// standardInput is how that is written as a source.
const standardInput = "-"

// Run uploads everything, and goes on with the rest where something fails.
func (p put) Run(w *world) error {
	to, err := p.plan()
	if err != nil {
		return err
	}
	c, err := p.open(w, to)
	if err != nil {
		return err
	}
	defer c.Close()
	u := &sending{put: p, world: w, client: c, bars: newBars(w, p.Quiet), jobs: make(chan struct{}, p.Jobs), fresh: make(map[string]bool)}
	u.uploader = &upload.Uploader{
		Server: c, Sender: c, Patience: patience(),
		Checksum: p.Checksum, Replace: p.Overwrite, Update: p.Update, Notice: u.notice,
	}
	if !p.NoResume {
		u.uploader.Sender = &upload.Resumable{Whole: c, Pieces: c, Patience: patience(), Memory: memory(), Notice: u.note}
	}
	if err := u.all(to); err != nil {
		u.fail(err)
	}
	u.wait.Wait()
	u.bars.close()
	if err := u.totals(); err != nil {
		return err
	}
	return u.verdict(w, &p.access, "put", "file", u.tried)
}

// memory is where it is noted how far uploads are; "" where this user has no
// such place.
func memory() upload.Memory {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return upload.Memory(filepath.Join(dir, "canopy", "uploads"))
}

// plan reads the arguments.
func (p *put) plan() (client.Address, error) {
	last := len(p.Sources) - 1
	if last < 1 {
		return client.Address{}, usage{errors.New("put: name what to upload and, as the last argument, the URL to put it at")}
	}
	to, err := target(p.Sources[last])
	if err != nil {
		return to, err
	}
	p.Sources = p.Sources[:last]
	for _, s := range p.Sources {
		switch {
		case strings.Contains(s, "://"):
			return to, usage{fmt.Errorf("put: %s is a URL; canopy cp copies from server to server", shown(s))}
		case s == standardInput && (last > 1 || to.Collection):
			return to, usage{errors.New("put: standard input has no name; make it the only source, and give the URL of the file")}
		}
	}
	if p.Checksum != "" {
		algorithm, known := digest.Name(p.Checksum)
		if !known || digest.New(algorithm) == nil {
			return to, usage{fmt.Errorf("put: --checksum: %s is not known; take adler32, crc32c, md5, sha-256 or sha-512", shown(p.Checksum))}
		}
		p.Checksum = algorithm
	}
	switch {
	case p.Jobs < 1 || p.Jobs > 64:
		return to, usage{errors.New("put: --jobs must be from 1 to 64")}
	case p.Overwrite && p.Update:
		return to, usage{errors.New("put: keep one of --overwrite and --update")}
	}
	return to, nil
}

// sending is one run of put.
type sending struct {
	put
	toll
	world    *world
	client   *client.Client
	uploader *upload.Uploader
	bars     *bars
	// jobs bounds the files that are sent at once.
	jobs chan struct{}
	wait sync.WaitGroup
	// fresh are the paths of directories that were made by this run.
	fresh map[string]bool
	tried int

	// stored, bytes and equal are the totals, guarded by toll.mu.
	stored, equal int
	bytes         int64
}

// notice tells the user what is no error.
func (u *sending) notice(text string) {
	if !u.Quiet && !u.bars.log("canopy: warning: "+text) {
		u.world.warn("%s", text)
	}
}

// note tells the user what is no trouble either.
func (u *sending) note(text string) {
	if !u.Quiet && !u.bars.log("canopy: "+text) {
		fmt.Fprintf(u.world.stderr, "canopy: %s\n", text)
	}
}

// all sends all sources to the address to.
func (u *sending) all(to client.Address) error {
	inside := to.Collection || len(u.Sources) > 1
	trees := make([]bool, len(u.Sources))
	for i, s := range u.Sources {
		if s == standardInput {
			continue
		}
		info, err := os.Stat(s)
		switch {
		case err != nil:
			return err
		case info.IsDir() && !u.Recursive:
			return fmt.Errorf("%s: it is a directory; add -r to upload what is in it", shown(s))
		}
		trees[i] = info.IsDir()
		inside = inside || info.IsDir()
	}
	if !inside {
		switch e, err := u.client.Look(u.world.ctx, to); {
		case err == nil && e.Kind == plugins.Directory && u.Sources[0] == standardInput:
			return fmt.Errorf("%s: it is a directory; give the URL of the file", to)
		case err == nil:
			inside = e.Kind == plugins.Directory
		}
	}
	above := to
	if !inside {
		above = to.Parent()
	}
	if err := u.make(above); err != nil {
		return err
	}
	for i, s := range u.Sources {
		at := to
		if name := filepath.Base(s); inside && name != "." && name != ".." && !bare(s) {
			at = to.Join(name)
		}
		if trees[i] {
			u.tree(s, at)
		} else {
			u.begin(s, at)
		}
	}
	return nil
}

// bare reports whether the directory called s stands for what is in it.
func bare(s string) bool {
	return strings.HasSuffix(filepath.ToSlash(s), "/.") || strings.HasSuffix(filepath.ToSlash(s), "/..")
}

// make makes the directory a with those above it. Who may write need not be
// able to look; whether it is there shows then.
func (u *sending) make(a client.Address) error {
	var made bool
	err := u.uploader.Patience.Try(u.world.ctx, func() (err error) {
		made, err = u.client.MakeAll(u.world.ctx, a)
		return err
	})
	u.fresh[a.Path] = made
	if kind := plugins.KindOf(err); kind == plugins.Denied || kind == plugins.Unsupported {
		return nil
	}
	return err
}

// tree sends the directory local to the address to.
func (u *sending) tree(local string, to client.Address) {
	upload.Walk(local, func(f upload.Found) error {
		if err := u.world.ctx.Err(); err != nil {
			return err
		}
		at := to
		for _, name := range f.Names {
			at = at.Join(name)
		}
		switch {
		case !f.Directory:
			u.begin(f.Local, at)
			return nil
		case len(f.Names) == 0:
			return u.make(at)
		}
		err := u.uploader.Patience.Try(u.world.ctx, func() error { return u.client.MakeDirectory(u.world.ctx, at) })
		u.fresh[at.Path] = err == nil
		if plugins.KindOf(err) == plugins.Exists {
			return nil
		}
		return err
	}, u.fail)
}

// begin sends the file local to the address to as soon as there is room.
func (u *sending) begin(local string, to client.Address) {
	u.tried++
	absent := u.fresh[to.Parent().Path]
	select {
	case u.jobs <- struct{}{}:
	case <-u.world.ctx.Done():
		u.fail(u.world.ctx.Err())
		return
	}
	u.wait.Go(func() {
		defer func() { <-u.jobs }()
		if err := u.file(local, to, absent); err != nil {
			u.fail(fmt.Errorf("%s: %w", shown(local), err))
		}
	})
}

// file sends one file.
func (u *sending) file(local string, to client.Address, absent bool) error {
	source := upload.FromStream(os.Stdin)
	if local != standardInput {
		var err error
		if source, err = upload.FromFile(local); err != nil {
			return err
		}
	}
	bar := u.bars.start(cmp.Or(to.Name(), local), source.Size)
	result, err := u.uploader.File(u.world.ctx, upload.Job{To: to, Source: source, Absent: absent, Progress: bar.add})
	bar.end(err)
	if plugins.KindOf(err) == plugins.Exists {
		return hinted{err, "; --overwrite replaces it, --update if it differs"}
	}
	if err != nil {
		return err
	}
	return u.report(local, to, result)
}

// report counts what was done, and prints it as JSON.
func (u *sending) report(local string, to client.Address, r upload.Result) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if r.Equal {
		u.equal++
	} else {
		u.stored++
		u.bytes += r.Size
	}
	if !u.JSON {
		return nil
	}
	object := struct {
		File     string            `json:"file"`
		URL      string            `json:"url"`
		Size     int64             `json:"size"`
		Equal    bool              `json:"equal,omitempty"`
		Verified map[string]string `json:"verified,omitempty"`
	}{File: local, URL: to.String(), Size: r.Size, Equal: r.Equal}
	if r.Verified.Algorithm != "" {
		object.Verified = map[string]string{r.Verified.Algorithm: digest.Hex(r.Verified)}
	}
	return u.world.object(object)
}

// totals prints what was done in all.
func (u *sending) totals() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.JSON:
		return u.world.object(struct {
			Stored int   `json:"stored"`
			Bytes  int64 `json:"bytes"`
			Equal  int   `json:"equal"`
			Failed int   `json:"failed"`
		}{u.stored, u.bytes, u.equal, len(u.failed)})
	case u.Quiet || u.tried == 0:
		return nil
	}
	line := fmt.Sprintf("%s stored, %d bytes", count(u.stored, "file"), u.bytes)
	if u.equal > 0 {
		line += fmt.Sprintf("; %d there already", u.equal)
	}
	if n := len(u.failed); n > 0 {
		line += fmt.Sprintf("; %d failed", n)
	}
	_, err := fmt.Fprintln(u.world.stderr, line)
	return err
}
