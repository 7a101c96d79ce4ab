// Package upload brings one file to a server, whole or not at all.
//
// Nothing that is there is replaced unless that is asked for. What was sent is
// compared with what the server has then: by checksum where it tells one, else
// by size. Where the server breaks off, is too busy or has something else in
// the end, the file is sent again, as often as Patience says and as long as its
// source can be read again.
//
// # Nothing half-done
//
// Many servers show a file while it is being sent, and keep what they have when
// the sender goes away. So where nothing was before, what a failed or
// interrupted upload has left is removed. Since somebody else may have stored
// another file there meanwhile, something longer than what was sent stays.
package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"canopy/cmd/canopy/client"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// Sender transports the bytes of a file. Store may fail halfway; content that
// is an io.Seeker may be read again from where it began.
type Sender interface {
	Store(ctx context.Context, to client.Address, content io.Reader, u plugins.Upload) (plugins.Entry, error)
}

// Server is where files go.
type Server interface {
	// Look tells what is at a path.
	Look(ctx context.Context, a client.Address) (plugins.Entry, error)
	// Check tells size and, where the server can, checksum of a file.
	Check(ctx context.Context, a client.Address, algorithm string) (plugins.Entry, error)
	Remove(ctx context.Context, a client.Address) error
}

// DefaultChecksum is the algorithm that most storages of the grid know.
const DefaultChecksum = "adler32"

// cleaning bounds the time for removing what was left half-done when the user
// is already waiting for the end.
const cleaning = 15 * time.Second

// Uploader stores files. Server, Sender, Notice and Patience must be set, and
// no field may change once it is used; its methods may be called by several
// goroutines at once for different files.
type Uploader struct {
	Server   Server
	Sender   Sender
	Patience client.Patience
	// Checksum is the algorithm by which the file must be verified; "" is
	// DefaultChecksum as far as the server knows it, and the size.
	Checksum string
	// Replace is whether a file that is there may be replaced.
	Replace bool
	// Update leaves out what is there and equal, and replaces what is not.
	Update bool
	// Notice is told what the user should know; it may be called by several
	// goroutines at once.
	Notice func(text string)
}

// Job is a file to be stored.
type Job struct {
	To     client.Address
	Source Source
	// Absent is whether it is known that nothing is there.
	Absent bool
	// Progress is told how many bytes were sent, negative for those that have
	// to be sent again.
	Progress func(bytes int64)
}

// Result is what was done.
type Result struct {
	// Size is in bytes.
	Size int64
	// Equal is whether the file was there already, so that nothing was sent.
	Equal bool
	// Verified is the checksum that the server has confirmed; zero if only
	// the size was compared.
	Verified plugins.Digest
}

// ErrUnverified is among the errors of a file that the server has, but whose
// checksum it does not tell although that was asked for.
var ErrUnverified = errors.New("the file is there, but the server does not tell that checksum, so that it was not compared")

func (u *Uploader) algorithm() string {
	if u.Checksum != "" {
		return u.Checksum
	}
	return DefaultChecksum
}

// File stores the file that job describes. After an error nothing of it is
// left, unless the error says so or something was replaced.
func (u *Uploader) File(ctx context.Context, job Job) (Result, error) {
	absent, result, err := u.before(ctx, job)
	if err != nil || result.Equal {
		return result, err
	}
	var s sent
	var left error
	for failed := 1; ; failed++ {
		if left == nil {
			if s, err = u.attempt(ctx, job, absent); err == nil {
				return Result{Size: s.size, Verified: s.confirmed}, nil
			}
		}
		var stored bool
		if stored, left = u.settle(ctx, job, &s, absent, err); stored {
			return Result{Size: s.size, Verified: s.confirmed}, nil
		}
		once := job.Source.Once && s.begun
		if once || !u.Patience.Again(ctx, failed, err) {
			return Result{}, final(err, left, once)
		}
		if left == nil {
			job.Progress(-s.size)
			u.Notice(fmt.Sprintf("%s: %v; sending it again", job.To, err))
		}
	}
}

// final is the error when there is no other attempt.
func final(err, left error, once bool) error {
	switch {
	case left != nil:
		return fmt.Errorf("%w; %w (%w), remove it with canopy rm", err, client.ErrLeft, left)
	case once && (plugins.KindOf(err).Silent() || plugins.KindOf(err) == plugins.Busy):
		return fmt.Errorf("%w; standard input cannot be read again", err)
	}
	return err
}

// before finds out what is there. absent is whether it is sure that nothing
// is.
func (u *Uploader) before(ctx context.Context, job Job) (absent bool, r Result, err error) {
	if job.Absent {
		return true, r, nil
	}
	var e plugins.Entry
	err = u.Patience.Try(ctx, func() (err error) {
		e, err = u.Server.Look(ctx, job.To)
		return err
	})
	switch kind := plugins.KindOf(err); {
	case kind == plugins.NotFound:
		return true, r, nil
	case kind == plugins.Unsupported, kind == plugins.Denied:
		// Who may write need not be able to look.
		return false, r, nil
	case err != nil:
		return false, r, err
	case e.Kind == plugins.Directory:
		return false, r, &plugins.Error{Kind: plugins.IsDirectory, Err: errors.New("a directory of that name is there")}
	case u.Update:
		r.Equal, r.Verified, err = u.equal(ctx, job, e)
		r.Size = e.Size
		return false, r, err
	case !u.Replace:
		return false, r, &plugins.Error{Kind: plugins.Exists}
	}
	return false, r, nil
}

// equal reports whether e, which is at the destination, is the file: of the
// same size, and the same checksum or, where there is none, not older.
func (u *Uploader) equal(ctx context.Context, job Job, e plugins.Entry) (bool, plugins.Digest, error) {
	if job.Source.Size < 0 || e.Size != job.Source.Size {
		return false, plugins.Digest{}, nil
	}
	known, err := u.Server.Check(ctx, job.To, u.algorithm())
	if ctx.Err() != nil {
		return false, plugins.Digest{}, err
	}
	theirs, told := client.Sum(known, u.algorithm())
	if err != nil || !told {
		fresh := !e.ModTime.IsZero() && !e.ModTime.Before(job.Source.ModTime.Truncate(time.Second))
		return fresh && u.Checksum == "", plugins.Digest{}, nil
	}
	ours, err := job.Source.sum(ctx, theirs.Algorithm)
	return ours == theirs, theirs, err
}

// sent is what an attempt has come to.
type sent struct {
	// size is how many bytes the server may have got, whole whether that is
	// all of them.
	size  int64
	whole bool
	// begun is whether the source was read at all.
	begun     bool
	sum       plugins.Digest
	confirmed plugins.Digest
	// fault is what was wrong with the source, if that is a server too.
	fault *plugins.Error
}

// attempt sends the file once, and verifies it.
func (u *Uploader) attempt(ctx context.Context, job Job, absent bool) (sent, error) {
	content, err := job.Source.open(u.algorithm(), job.Progress)
	if err != nil {
		return sent{}, err
	}
	defer content.close()
	_, err = u.Sender.Store(ctx, job.To, content, plugins.Upload{
		Size: job.Source.Size, ModTime: job.Source.ModTime,
		New: absent || !u.Replace && !u.Update,
	})
	s := content.sent()
	if err != nil && s.fault != nil {
		// Whether it makes sense to try again is up to the source.
		return s, s.fault
	}
	if err != nil {
		return s, err
	}
	s.confirmed, err = u.verify(ctx, job.To, s)
	return s, err
}

// verify compares what the server has with what was sent. It returns the
// checksum that was the same.
func (u *Uploader) verify(ctx context.Context, to client.Address, s sent) (plugins.Digest, error) {
	var e plugins.Entry
	unverified := &plugins.Error{Kind: plugins.Unsupported, Err: ErrUnverified}
	err := u.Patience.Try(ctx, func() (err error) {
		e, err = u.Server.Check(ctx, to, u.algorithm())
		return err
	})
	switch kind := plugins.KindOf(err); {
	case err == nil:
	case kind == plugins.Denied, kind == plugins.Unsupported:
		if u.Checksum != "" {
			return plugins.Digest{}, unverified
		}
		u.Notice(fmt.Sprintf("%s: not verified, the server does not let itself be asked about it", to))
		return plugins.Digest{}, nil
	case kind == plugins.NotFound:
		return plugins.Digest{}, &plugins.Error{Kind: plugins.Malformed, Err: errors.New("the server has taken the file, and then says that it is not there")}
	default:
		return plugins.Digest{}, fmt.Errorf("the file was sent, and could not be verified: %w", err)
	}
	if e.Size >= 0 && e.Size != s.size {
		return plugins.Digest{}, &plugins.Error{Kind: plugins.Malformed, Err: fmt.Errorf("the server has %d bytes of it, %d were sent", e.Size, s.size)}
	}
	theirs, told := client.Sum(e, u.algorithm())
	switch {
	case !told && u.Checksum != "":
		return plugins.Digest{}, unverified
	case !told:
		return plugins.Digest{}, nil
	case theirs != s.sum:
		return plugins.Digest{}, &plugins.Error{Kind: plugins.Malformed, Err: fmt.Errorf("what the server has got has the %s %s, not %s", theirs.Algorithm, digest.Hex(theirs), digest.Hex(s.sum))}
	}
	return theirs, nil
}

// settle puts in order what an attempt has left that failed with why. stored is
// whether the whole file is there after all, left an error that may have kept
// something half-done there.
func (u *Uploader) settle(ctx context.Context, job Job, s *sent, absent bool, why error) (stored bool, left error) {
	interrupted := ctx.Err() != nil
	if !absent || !s.begun && !interrupted || plugins.KindOf(why) == plugins.Exists || errors.Is(why, ErrUnverified) {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
	defer cancel()
	e, err := u.Server.Look(ctx, job.To)
	switch {
	case plugins.KindOf(err) == plugins.NotFound, err != nil && !s.begun:
		return false, nil
	case err != nil:
		return false, err
	case e.Kind != plugins.File, e.Size > s.size:
		return false, nil // somebody else's
	case s.whole && e.Size == s.size && !interrupted:
		// All that is missing may be the answer.
		if s.confirmed, err = u.verify(ctx, job.To, *s); err == nil {
			return true, nil
		}
	}
	return false, u.withdraw(ctx, job)
}

const (
	// lockedWait is the time between two attempts to remove a file that the
	// server still holds, as rclone does for a moment after an upload was cut.
	lockedWait  = 250 * time.Millisecond
	lockedTries = 20
)

// withdraw takes away what was begun.
func (u *Uploader) withdraw(ctx context.Context, job Job) error {
	for try := 1; ; try++ {
		err := u.Server.Remove(ctx, job.To)
		switch kind := plugins.KindOf(err); {
		case kind == plugins.NotFound:
			return nil
		case kind != plugins.Locked || try == lockedTries:
			return err
		}
		timer := time.NewTimer(lockedWait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}
