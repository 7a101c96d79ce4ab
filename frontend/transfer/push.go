package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"canopy/frontend/transfer/guard"
	"canopy/frontend/transfer/stripe"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// cleanup bounds the removal of what a failure has left.
const cleanup = 30 * time.Second

// Push sends the file to where the order names, and returns when the
// destination begins to take it. The error is a *Refusal or that of file.Open.
func (a *Agent) Push(ctx context.Context, o *Order, file File) (*Transfer, error) {
	return a.begin(ctx, o, func(t *Transfer) (func() error, error) {
		d := &target{client: a.client, t: t, file: &file}
		if err := d.look(t.ctx); err != nil {
			return nil, &other{err}
		}
		return func() error {
			err := d.put(t.ctx)
			if err == nil {
				err = d.verify(t.ctx)
			}
			if err != nil {
				d.clean(ctx)
			}
			return err
		}, nil
	})
}

// target is where a file is pushed to.
type target struct {
	client *guard.Client
	t      *Transfer
	file   *File
	// absent is whether the destination was seen not to exist.
	absent bool
	// content is what is being sent, nil while nothing was asked for.
	content *checked
	// keep is whether what is there was not made by us, cut whether the
	// destination did not answer to it.
	keep, cut bool
}

func (d *target) ask(ctx context.Context, a guard.Ask) (*http.Response, error) {
	o := d.t.order
	a.Stated, a.Secret, a.Secure, a.Connected = o.Remote, o.header, o.Secure, d.t.connected
	return d.client.Do(ctx, a)
}

// look finds out whether there is something at the destination. Not every token
// that may write may look, so an answer that tells nothing is no obstacle.
func (d *target) look(ctx context.Context) error {
	resp, err := d.ask(ctx, guard.Ask{Method: http.MethodHead})
	if err == nil {
		resp.Body.Close()
		if !d.t.order.Overwrite {
			return &plugins.Error{Kind: plugins.Exists, Op: "stat"}
		}
		return nil
	}
	var status *guard.StatusError
	if !errors.As(err, &status) {
		return err
	}
	d.absent = plugins.KindOf(err) == plugins.NotFound
	return nil
}

// put sends the file.
func (d *target) put(ctx context.Context) error {
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	if !d.t.order.Overwrite {
		header.Set("If-None-Match", "*")
	}
	if value := digest.FormatDigest(d.file.Digests...); value != "" {
		header.Set("Digest", value)
	}
	reading, stop := context.WithCancel(ctx)
	content := &guard.Content{Size: d.file.Size, Open: func() (io.ReadCloser, error) { return d.open(reading), nil }}
	resp, err := d.ask(ctx, guard.Ask{Method: http.MethodPut, Header: header, Content: content})
	// The transport may still hold the file, of which nothing is read any more.
	stop()
	content.Close()
	if err == nil {
		err = resp.Body.Close()
	}
	if err == nil && d.file.Size == 0 {
		d.content = d.check(http.NoBody)
		_, err = d.content.Read(make([]byte, 1))
		if err == io.EOF {
			err = nil
		}
	}
	var failed error
	if d.content != nil {
		failed = d.content.end()
	}
	var status *guard.StatusError
	d.cut = err != nil && !errors.As(err, &status)
	switch {
	case err == nil && failed == io.EOF:
		return nil
	case err == nil:
		err = wrong(plugins.Malformed, "the destination did not wait for all of the file")
	case d.content == nil && (d.file.Size > 0 || errors.As(err, &status)), plugins.KindOf(err) == plugins.Exists:
		d.keep = true
	case failed == nil, failed == io.EOF, errors.As(err, &status), ctx.Err() == nil && errors.Is(failed, context.Canceled):
	default:
		return failed // our end is to blame
	}
	return &other{err}
}

// check returns the file to be sent, and to be compared with what arrives.
func (d *target) check(from io.Reader) *checked {
	c := check(from, d.file.Size, d.file.Digests, asked[:2]...)
	c.begun, c.count = d.t.flow, func(n int) { d.t.bytes.Add(int64(n)) }
	return c
}

// open begins the file for one host, from its start.
func (d *target) open(ctx context.Context) io.ReadCloser {
	d.t.bytes.Store(0) // the host before has it not
	from := stripe.New(ctx, func(ctx context.Context, offset, _ int64) (io.ReadCloser, error) {
		return d.file.Open(ctx, offset)
	}, d.file.Size, 1)
	d.content = d.check(from)
	return &closing{d.content, from}
}

// closing is content with what ends it.
type closing struct {
	io.Reader
	io.Closer
}

// checks is how often the destination is looked at, should the file not show at
// once, and pause how long is waited between.
const (
	checks = 4
	pause  = time.Second
)

// verify compares what the destination says it has with what was sent.
func (d *target) verify(ctx context.Context) error {
	sent := d.content.digests()
	header := make(http.Header)
	want := append([]string(nil), asked[:2]...)
	for _, s := range d.file.Digests {
		want = append(want, s.Algorithm)
	}
	digest.SetWant(header, want...)
	var resp *http.Response
	for try := range checks {
		var err error
		if resp, err = d.ask(ctx, guard.Ask{Method: http.MethodHead, Header: header, Wait: late}); err == nil {
			break
		}
		kind := plugins.KindOf(err)
		switch {
		case kind == plugins.Denied || kind == plugins.Unsupported:
			// A token for writing need not be one for reading.
			if d.t.order.Checksum {
				return errUnsure
			}
			return nil
		case try == checks-1 || kind != plugins.NotFound && !kind.Silent() && kind != plugins.Busy:
			return &other{err}
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
	defer resp.Body.Close()
	if n := resp.ContentLength; n >= 0 && n != d.file.Size {
		return &other{wrong(plugins.Malformed, fmt.Sprintf("the destination has %d bytes of %d", n, d.file.Size))}
	}
	differs, agree := compare(digest.FromHeader(resp.Header), sent)
	switch {
	case differs != "":
		return &other{&plugins.Error{Kind: plugins.Malformed, Op: "verify", Err: fmt.Errorf("%w (%s of the destination)", errSum, differs)}}
	case !agree && d.t.order.Checksum:
		return errUnsure
	}
	return nil
}

// clean removes what a failure has left at the destination. Whoever asked for
// the copy may have gone. Where the sending was cut, the destination may notice
// that later, and keep then what it has.
func (d *target) clean(ctx context.Context) {
	if !d.absent || d.keep {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	for range checks {
		resp, err := d.ask(ctx, guard.Ask{Method: http.MethodDelete})
		if err == nil {
			err = resp.Body.Close()
		}
		d.t.left = err
		if plugins.KindOf(err) == plugins.NotFound {
			d.t.left = nil
		}
		if !d.cut || wait(ctx, pause) != nil {
			return
		}
		if resp, err = d.ask(ctx, guard.Ask{Method: http.MethodHead}); err != nil {
			return
		}
		resp.Body.Close()
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
