// Package download fetches one file from all its replicas at once.
//
// The file is cut into chunks, and each of a few streams takes the next one as
// soon as it is done with the last, so that a slow replica gets fewer; when
// none are left, a stream without work takes half of what the slowest still
// has before it. A replica that fails is asked again a few times, or not at
// all where that makes no sense, and the others do its work.
//
// # One content
//
// All replicas must have the size that is known, and the checksum where they
// tell one. Each must show the same entity tag, or the same time, from its
// first answer to its last. What fails that is left out with a notice. In the
// end the strongest known checksum is computed over what was written. If it
// is wrong although several replicas took part, each is tried alone.
//
// # Interruption
//
// Bytes go to NAME.canopy-part in the destination folder, and what is there,
// and of which content, to NAME.canopy-part.json; the former is synchronised
// before the latter claims anything. A later call goes on from there if size
// and checksum, or size and strong entity tag at the same URL, are those of
// before, and else begins anew. NAME itself appears complete or not at all.
package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"canopy/plugins"
)

// Opener reads a part of the file at a URL. The body may end early or hold
// more than was asked for; from is who sent it after all redirects, within
// which entity tags can be compared. An opener that gets the whole file
// although it asked for a part returns the body with Offset 0.
type Opener interface {
	Open(ctx context.Context, url string, r plugins.Range) (body *plugins.Body, from string, err error)
}

// Job is a file to be fetched.
type Job struct {
	// URL is what the user asked for; it identifies the file when a download
	// is resumed, together with ETag.
	URL string
	// Size is in bytes; negative when unknown.
	Size int64
	// ETag is the entity tag at URL, "" if there is none.
	ETag string
	// Digests are the checksums that the file must have.
	Digests []plugins.Digest
	// Replicas are the URLs of the copies, the best first. They are used as
	// they are.
	Replicas []string
	// LastResort is a URL to be asked when no replica is left, "" for none.
	LastResort string
}

// Result is what was done.
type Result struct {
	// Size is in bytes.
	Size int64
	// Resumed is how many of them were there already.
	Resumed int64
	// Verified is the checksum that was found to be right; zero if none was
	// known.
	Verified plugins.Digest
	// Replicas are those that delivered something, with how many bytes.
	Replicas map[string]int64
}

// Downloader fetches files. Opener, Notice, Progress and Pause must be set, and
// no field may change once it is used; its methods may be called by several goroutines at once for different files.
type Downloader struct {
	Opener Opener
	// Streams is how many parts of a file are read at once; at least 1.
	Streams int
	// Chunk is the greatest length of a part in bytes; 16 MiB if zero.
	Chunk int64
	// Slots bounds the parts read at once over all files by its capacity; nil
	// is no bound.
	Slots chan struct{}
	// NoClobber refuses to replace a file.
	NoClobber bool
	// NoVerify leaves out the checksum at the end.
	NoVerify bool
	// Notice is told what the user should know; it may be called by several
	// goroutines at once.
	Notice func(text string)
	// Progress is told how many bytes were written, negative for those thrown
	// away; by several goroutines at once.
	Progress func(bytes int64)
	// Pause waits before a replica is asked again, until ctx ends.
	Pause func(ctx context.Context, d time.Duration) error
}

// ErrExists is the error when NoClobber protects a file.
var ErrExists = errors.New("it exists already, and --no-clobber protects it")

// ErrKept is among the errors of a download that can be resumed.
var ErrKept = errors.New("what has come is kept, and the same command goes on from there")

// File fetches job into the folder root under name, which is a path within it
// whose parent exists. An error of kind Changed says that the file changed
// meanwhile; nothing of it is kept, and job is out of date.
func (d *Downloader) File(ctx context.Context, job Job, root *os.Root, name string) (Result, error) {
	if err := d.free(root, name); err != nil {
		return Result{}, err
	}
	p, err := openPart(root, name)
	if err != nil {
		return Result{}, err
	}
	defer p.close()
	found, why := p.resume(job)
	if why != "" {
		d.Notice(fmt.Sprintf("%q: beginning anew, %s", name, why))
	}
	result, err := d.fill(ctx, job, p, found)
	if err != nil {
		return result, p.leave(err)
	}
	if err := d.finish(p, root, name); err != nil {
		return result, err
	}
	return result, nil
}

// free refuses names that cannot or must not be replaced.
func (d *Downloader) free(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%q is a directory; name a file, or remove it", name)
	case d.NoClobber:
		return fmt.Errorf("%q: %w", name, ErrExists)
	}
	return nil
}

// fill writes the content of job into p and verifies it.
func (d *Downloader) fill(ctx context.Context, job Job, p *part, have spans) (Result, error) {
	d.Progress(have.total())
	result, err := d.attempt(ctx, job, p, have)
	var wrong *mismatch
	if !errors.As(err, &wrong) {
		return result, err
	}
	// Somebody's bytes are wrong. Alone, each replica shows whose.
	suspects := untried(job, result)
	if len(suspects) == 0 {
		return result, err
	}
	d.Notice(err.Error() + "; trying each replica alone")
	for _, url := range suspects {
		d.Progress(-result.Size)
		if err := p.reset(); err != nil {
			return result, err
		}
		alone := job
		alone.Replicas, alone.LastResort = []string{url}, ""
		if result, err = d.attempt(ctx, alone, p, nil); err == nil || ctx.Err() != nil {
			return result, err
		}
		d.Notice(fmt.Sprintf("%s: %v", url, err))
	}
	return result, fmt.Errorf("no replica has the right content: %w", err)
}

// untried are the replicas that may have the right content although result is
// wrong: all but one that has sent the whole of it.
func untried(job Job, result Result) []string {
	return slices.DeleteFunc(slices.Clone(job.all()), func(url string) bool { return result.Replicas[url] >= result.Size })
}

// all are the replicas with the last resort.
func (j Job) all() []string {
	if j.LastResort == "" {
		return j.Replicas
	}
	return append(j.Replicas[:len(j.Replicas):len(j.Replicas)], j.LastResort)
}

// attempt fetches what is not in have, and verifies the whole.
func (d *Downloader) attempt(ctx context.Context, job Job, p *part, have spans) (Result, error) {
	crew := newCrew(d, job)
	result := Result{Size: job.Size, Resumed: have.total()}
	var err error
	if job.Size >= 0 {
		err = d.parallel(ctx, crew, p, have)
		result.Replicas = crew.delivered()
	}
	if job.Size < 0 || errors.Is(err, errNoRanges) {
		d.Progress(-p.done.total())
		if err := p.reset(); err != nil {
			return result, err
		}
		result.Resumed = 0
		result.Size, err = d.sequential(ctx, crew, p.file, p.rewind)
		result.Replicas = crew.delivered()
	}
	if err != nil || d.NoVerify {
		return result, err
	}
	want, known := strongest(job.Digests)
	if !known {
		return result, nil
	}
	if err := verify(ctx, io.NewSectionReader(p.file, 0, result.Size), want); err != nil {
		return result, err
	}
	result.Verified = want
	return result, nil
}

// finish gives the complete part its name.
func (d *Downloader) finish(p *part, root *os.Root, name string) error {
	if err := p.file.Sync(); err != nil {
		return err
	}
	if err := d.free(root, name); err != nil {
		return err
	}
	if d.NoClobber {
		// A link, unlike a rename, fails when the name has come into use.
		switch err := root.Link(p.name, name); {
		case errors.Is(err, fs.ErrExist):
			return fmt.Errorf("%q: %w", name, ErrExists)
		case err == nil:
			return errors.Join(p.remove(), syncFolder(root, name))
		}
	}
	if err := root.Rename(p.name, name); err != nil {
		return err
	}
	return errors.Join(p.forget(), syncFolder(root, name))
}

// Stream fetches job into w in order, over one stream. What was written
// before an error stays written.
func (d *Downloader) Stream(ctx context.Context, job Job, w io.Writer) (Result, error) {
	crew := newCrew(d, job)
	want, known := strongest(job.Digests)
	sum := newSum(want)
	if known && !d.NoVerify {
		w = io.MultiWriter(w, sum)
	}
	size, err := d.sequential(ctx, crew, w, nil)
	result := Result{Size: size, Replicas: crew.delivered()}
	if err != nil || !known || d.NoVerify {
		return result, err
	}
	if err := compare(sum, want); err != nil {
		return result, err
	}
	result.Verified = want
	return result, nil
}
