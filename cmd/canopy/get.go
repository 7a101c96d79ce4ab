package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"canopy/cmd/canopy/client"
	"canopy/cmd/canopy/client/download"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// get downloads files.
type get struct {
	access
	URLs       []string `arg:"" name:"url" help:"What to fetch. The last argument may be the folder or file to put it in, or - for standard output."`
	Output     string   `short:"o" placeholder:"FILE" help:"Put the one file here; - is standard output."`
	Recursive  bool     `short:"r" help:"Fetch directories with all that is below, each into a folder of its name."`
	Streams    int      `default:"4" help:"How many parts, or small files, are fetched at once."`
	Checksum   string   `placeholder:"ALG:HEX" help:"The checksum that the file must have, such as sha-256:9f86…; else the strongest that the server knows."`
	NoChecksum bool     `help:"Do not compare checksums."`
	NoClobber  bool     `help:"Do not replace a file that exists."`
	Quiet      bool     `short:"q" help:"Show no progress and no warnings."`
	JSON       bool     `help:"Print one JSON object a file."`
}

// Examples are shown in the help.
func (get) Examples() string {
	return `
canopy get https://data.example.org/atlas/run1.root
canopy get -o /data/run1.root --checksum adler32:03da0195 https://data.example.org/atlas/run1.root
canopy get -r https://data.example.org/atlas/2026/ /data
canopy get https://data.example.org/atlas/log.gz - | zcat | less
`
}

// Run fetches everything, and goes on with the rest where something fails.
func (g get) Run(w *world) error {
	plan, err := g.plan()
	if err != nil {
		return err
	}
	c, err := g.open(w, plan.from...)
	if err != nil {
		return err
	}
	defer c.Close()
	to, err := plan.open(w)
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	defer to.close()
	f := &fetch{get: g, world: w, client: c, to: to, bars: newBars(w, g.Quiet || to.toStdout()), files: make(chan struct{}, g.Streams)}
	f.slots = make(chan struct{}, g.Streams)
	for _, a := range plan.from {
		f.start(a)
	}
	f.wait.Wait()
	f.bars.close()
	return f.verdict()
}

// fetch is one run of get.
type fetch struct {
	get
	world  *world
	client *client.Client
	to     *destination
	bars   *bars
	// files bounds the files that are fetched at once, slots the parts.
	files, slots chan struct{}
	wait         sync.WaitGroup

	mu     sync.Mutex
	tried  int
	errors []error
}

// verdict is the error of the run as a whole.
func (f *fetch) verdict() error {
	switch {
	case len(f.errors) == 0:
		return nil
	case f.world.ctx.Err() != nil:
		if slices.ContainsFunc(f.errors, func(err error) bool { return errors.Is(err, download.ErrKept) }) {
			return stopped{fmt.Errorf("get: interrupted; %w", download.ErrKept)}
		}
		return stopped{errors.New("get: interrupted")}
	case len(f.errors) == 1 && f.tried <= 1:
		return f.failure("get", f.errors[0])
	}
	for _, err := range f.errors {
		fmt.Fprintln(f.world.stderr, "canopy: get:", err)
	}
	return fmt.Errorf("get: %d of %d files failed; the same command tries them again", len(f.errors), max(f.tried, len(f.errors)))
}

func (f *fetch) failed(err error) {
	f.mu.Lock()
	f.errors = append(f.errors, err)
	f.mu.Unlock()
}

// notice tells the user what is no error.
func (f *fetch) notice(text string) {
	if !f.Quiet && !f.bars.log("canopy: warning: "+text) {
		f.world.warn("%s", text)
	}
}

// start begins with what the command line names.
func (f *fetch) start(a client.Address) {
	e, err := f.client.Stat(f.world.ctx, a)
	switch {
	case err != nil:
		f.failed(err)
	case e.Kind != plugins.Directory:
		f.begin(a, f.to.name(a), &e)
	case !f.Recursive:
		f.failed(fmt.Errorf("%s: it is a directory; add -r to fetch what is in it", shownURL(a)))
	default:
		f.tree(a, a.Name(), 0)
	}
}

// tree fetches what is below the directory a into the folder called name.
func (f *fetch) tree(a client.Address, name string, level int) {
	if level > maxLevels {
		f.failed(fmt.Errorf("%s: deeper than %d directories", shownURL(a), maxLevels))
		return
	}
	if err := f.to.folder(name); err != nil {
		f.failed(err)
		return
	}
	// The server should not have to wait for the files with its listing.
	var files, below []string
	a.Collection = true
	listing, err := f.client.List(f.world.ctx, a, func(e plugins.Entry) error {
		switch e.Kind {
		case plugins.Directory:
			below = append(below, e.Name)
		case plugins.File:
			files = append(files, e.Name)
		default:
			f.failed(fmt.Errorf("%s: the server does not say what it is", shownURL(a.Join(e.Name))))
		}
		return f.world.ctx.Err()
	})
	switch {
	case err != nil:
		f.failed(err)
	case len(listing.Missing) > 0:
		f.failed(fmt.Errorf("%s: incomplete, no answer from %s", shownURL(a), shown(strings.Join(listing.Missing, ", "))))
	}
	for _, file := range files {
		f.begin(a.Join(file), join(name, file), nil)
	}
	for _, child := range below {
		f.tree(a.Join(child), join(name, child), level+1)
	}
}

// join joins names within the destination; "" is the destination itself.
func join(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + "/" + name
}

// begin fetches the file a as name as soon as there is room. What is known of
// it, nil being nothing, need not be asked again.
func (f *fetch) begin(a client.Address, name string, known *plugins.Entry) {
	f.mu.Lock()
	f.tried++
	f.mu.Unlock()
	select {
	case f.files <- struct{}{}:
	case <-f.world.ctx.Done():
		f.failed(f.world.ctx.Err())
		return
	}
	f.wait.Go(func() {
		defer func() { <-f.files }()
		if err := f.file(a, name, known); err != nil {
			f.failed(fmt.Errorf("%s: %w", shownURL(a), err))
		}
	})
}

// file fetches one file. When it changes meanwhile, it is asked for once more.
func (f *fetch) file(a client.Address, name string, known *plugins.Entry) error {
	for again := false; ; again = true {
		if known == nil {
			e, err := f.client.Stat(f.world.ctx, a)
			if err != nil {
				return err
			}
			known = &e
		}
		job, err := f.job(a, known)
		if err != nil {
			return err
		}
		bar := f.bars.start(name, job.Size)
		result, err := f.to.fetch(f.world.ctx, f.downloader(bar), job, name)
		bar.end(err)
		if plugins.KindOf(err) == plugins.Changed && !again && !f.to.toStdout() && f.world.ctx.Err() == nil {
			f.notice(fmt.Sprintf("%s: %v; beginning anew", shownURL(a), err))
			known = nil
			continue
		}
		if err != nil || !f.JSON {
			return err
		}
		return f.report(a, name, result)
	}
}

// job says what is to be fetched from where.
func (f *fetch) job(a client.Address, e *plugins.Entry) (download.Job, error) {
	if e.Kind == plugins.Directory {
		return download.Job{}, errors.New("it is a directory")
	}
	job := download.Job{URL: a.String(), Size: e.Size, ETag: e.ETag, Digests: e.Digests}
	copies := slices.Clone(e.Copies)
	slices.SortStableFunc(copies, func(x, y plugins.Copy) int {
		return cmp.Compare(uint(x.Priority-1), uint(y.Priority-1)) // 0, the unknown, comes last
	})
	for _, p := range copies {
		if trusts(a, p.URL, e.Digests) {
			job.Replicas = append(job.Replicas, p.URL)
		}
	}
	if len(job.Replicas) == 0 {
		job.Replicas = []string{job.URL}
	} else if !slices.Contains(job.Replicas, job.URL) {
		job.LastResort = job.URL
	}
	if f.Checksum != "" {
		d, err := checksum(f.Checksum)
		if err != nil {
			return job, err
		}
		job.Digests = []plugins.Digest{d}
	}
	return job, nil
}

// trusts reports whether a copy may be read in place of a. Anybody on the way
// could change what comes without encryption, so where a has it, a checksum
// that nobody can forge must tell.
func trusts(a client.Address, copied string, known []plugins.Digest) bool {
	return !strings.HasPrefix(a.Origin, "https:") || strings.HasPrefix(copied, "https:") ||
		slices.ContainsFunc(known, func(d plugins.Digest) bool { return d.Algorithm == "sha-256" || d.Algorithm == "sha-512" })
}

// checksum reads ALG:HEX.
func checksum(s string) (plugins.Digest, error) {
	spelling, value, _ := strings.Cut(s, ":")
	if algorithm, ok := digest.Name(spelling); ok {
		if d, ok := digest.Decode(algorithm, value); ok {
			return d, nil
		}
	}
	return plugins.Digest{}, usage{fmt.Errorf("get: --checksum: %s is none; write it as sha-256:HEX, md5:HEX or adler32:HEX", shown(s))}
}

func (f *fetch) downloader(b *bar) *download.Downloader {
	return &download.Downloader{
		Opener: f.client, Streams: f.Streams, Slots: f.slots,
		NoClobber: f.NoClobber, NoVerify: f.NoChecksum,
		Notice: f.notice, Progress: b.add, Pause: pause,
	}
}

// pause waits for d.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// part is what one replica delivered.
type part struct {
	URL   string `json:"url"`
	Bytes int64  `json:"bytes"`
}

// report prints what was done, as JSON.
func (f *fetch) report(a client.Address, name string, r download.Result) error {
	object := struct {
		URL      string            `json:"url"`
		File     string            `json:"file"`
		Size     int64             `json:"size"`
		Resumed  int64             `json:"resumed,omitempty"`
		Verified map[string]string `json:"verified,omitempty"`
		Replicas []part            `json:"replicas"`
	}{URL: shownURL(a), File: f.to.path(name), Size: r.Size, Resumed: r.Resumed, Replicas: []part{}}
	if r.Verified.Algorithm != "" {
		object.Verified = map[string]string{r.Verified.Algorithm: digest.Hex(r.Verified)}
	}
	for url, bytes := range r.Replicas {
		url, _, _ := strings.Cut(url, "?")
		object.Replicas = append(object.Replicas, part{url, bytes})
	}
	slices.SortFunc(object.Replicas, func(x, y part) int { return cmp.Or(cmp.Compare(y.Bytes, x.Bytes), cmp.Compare(x.URL, y.URL)) })
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.world.object(object)
}
