package webclient

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"canopy/plugins"
	"canopy/plugins/wire/answer"
)

const (
	// continueTime bounds how long content is held back for a storage that was
	// asked whether it wants it (RFC 9110 section 10.1.1), and never says. It
	// is beyond the 5 s after which XRootD redirects the upload of a new name.
	continueTime = 7 * time.Second
	// settleFactor is how many times as long as for other answers is waited
	// once a storage has all content: it may flush it, or read it once more
	// for a checksum.
	settleFactor = 10
	// farewell is how long a Read of the content that is under way is waited
	// for when an upload is over.
	farewell = time.Second
)

// continueWithin returns how long content is held back where silence is
// suffered for limit: less than that, so that a storage which does not know
// the question is not taken for a silent one.
func continueWithin(limit time.Duration) time.Duration {
	if limit <= 0 {
		return continueTime
	}
	return min(continueTime, limit*3/4)
}

var (
	errAbandoned = errors.New("the upload is over")
	errTaken     = errors.New("the content has been sent in part and cannot be sent again")
	errShort     = errors.New("it ends before the size that was announced")
	errLong      = errors.New("it goes on beyond the size that was announced")
)

// upload is a body that comes as a stream. It is handed over once, to one
// attempt at a time; another attempt can begin as long as nothing was taken, or
// from the start where the stream can go back.
type upload struct {
	from io.Reader
	// size is in bytes, negative when unknown.
	size int64
	// limit is the silence that is suffered.
	limit time.Duration
	// dog watches the storage, not from: it sleeps while from is read.
	dog *watchdog
	// start is where from began, for one that can go back; -1 otherwise.
	start int64

	mu sync.Mutex
	// attempt is the one that may read, 0 when none may any more.
	attempt int
	// reading is closed at the end of the Read that is under way; nil if none
	// is. taken is how much was read.
	reading chan struct{}
	taken   int64
	// complete is whether it has had all.
	complete bool
	// err is what was wrong with from.
	err error
}

func newUpload(from io.Reader, size int64, limit time.Duration) *upload {
	u := &upload{from: from, size: size, limit: limit, start: -1, attempt: 1, complete: size == 0}
	if s, ok := from.(io.Seeker); ok {
		if at, err := s.Seek(0, io.SeekCurrent); err == nil {
			u.start = at
		}
	}
	return u
}

// attach makes req send u, as the attempt that may read from now on.
func (u *upload) attach(req *http.Request) {
	req.ContentLength = u.size
	if u.size == 0 {
		req.Body = http.NoBody
		return
	}
	req.Header.Set("Expect", "100-continue")
	// Tells net/http, not the server, to begin again when a kept connection
	// turns out to be dead, as far as GetBody lets it.
	req.Header["X-Idempotency-Key"] = nil
	req.Body = u.body()
	req.GetBody = func() (io.ReadCloser, error) {
		if err := u.again(false); err != nil {
			return nil, err
		}
		return u.body(), nil
	}
}

// body is what the attempt that may read sends.
func (u *upload) body() *attempt {
	u.mu.Lock()
	defer u.mu.Unlock()
	return &attempt{upload: u, number: u.attempt}
}

// empty makes sure that from has nothing, for a size of 0.
func (u *upload) empty() error {
	if n, err := u.probe(); n > 0 {
		u.err = errLong
	} else if err != io.EOF {
		u.err = err
	}
	return u.err
}

// probe reads on by a byte.
func (u *upload) probe() (int, error) {
	var one [1]byte
	for range maxIdleReads {
		if n, err := u.from.Read(one[:]); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// maxIdleReads bounds how often a reader may return nothing without an error.
const maxIdleReads = 100

// again lets the next attempt begin, if nothing was taken. With rewind it may
// also go back to the start.
func (u *upload) again(rewind bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.attempt == 0:
		return errAbandoned
	case u.reading != nil || u.err != nil:
		return errTaken
	case u.taken == 0:
	case !rewind || u.start < 0:
		return errTaken
	default:
		if _, err := u.from.(io.Seeker).Seek(u.start, io.SeekStart); err != nil {
			return errTaken
		}
	}
	u.taken, u.complete = 0, u.size == 0
	u.attempt++
	return nil
}

// end lets nobody read any more, and returns what came of it. One read may
// still be under way; nothing comes of it.
func (u *upload) end() (complete bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.attempt = 0
	return u.complete, u.err
}

// quiet waits until nobody reads, and reports whether that is so: what from
// holds up for longer than a second is not waited for.
func (u *upload) quiet() bool {
	u.mu.Lock()
	reading := u.reading
	u.mu.Unlock()
	if reading == nil {
		return true
	}
	late := time.NewTimer(farewell)
	defer late.Stop()
	select {
	case <-reading:
		return true
	case <-late.C:
		return false
	}
}

// attempt is the body of one request.
type attempt struct {
	*upload
	number int
}

// Read hands on what from has. The last bytes are held back until from has
// ended, so that content of another length than announced never arrives as if
// it were whole.
func (a *attempt) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := a.begin(); err != nil {
		return 0, err
	}
	n, err := a.from.Read(p)
	total := a.taken + int64(n)
	if a.size >= 0 && err == nil && total == a.size {
		var more int
		if more, err = a.probe(); more > 0 {
			total, err = total+1, nil
		}
	}
	switch {
	case a.size >= 0 && total > a.size:
		n, err = 0, errLong
	case err == io.EOF && total < a.size:
		n, err = 0, errShort
	case err != nil && err != io.EOF:
		n = 0
	}
	a.done(n, err)
	return n, err
}

func (a *attempt) begin() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.attempt == 0 || a.number != a.attempt:
		return errAbandoned
	case a.err != nil:
		return a.err
	case a.complete:
		return io.EOF
	}
	a.reading = make(chan struct{})
	a.dog.sleep()
	return nil
}

func (a *attempt) done(n int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.reading)
	a.reading = nil
	a.taken += int64(n)
	a.complete = err == io.EOF
	if err != nil && err != io.EOF {
		a.err = err
	}
	switch {
	case a.attempt == 0 || a.number != a.attempt:
	case a.complete:
		a.dog.wakeFor(settleFactor * a.limit)
	default:
		a.dog.wakeFor(a.limit)
	}
}

// Close ends nothing: the content is the caller's.
func (a *attempt) Close() error { return nil }

// spoilt makes an error of what was wrong with the content, which is no fault
// of the storage.
func spoilt(err error) *plugins.Error {
	kind := plugins.Invalid
	if plugins.KindOf(err) == plugins.Canceled {
		kind = plugins.Canceled
	}
	return &plugins.Error{Kind: kind, Err: fmt.Errorf("the content to be stored: %w", err)}
}

// follow lets content be sent to where a redirect leads.
func (u *upload) follow(resp *http.Response, to *url.URL) *plugins.Error {
	from := resp.Request.URL
	if to.Host == from.Host && to.Path == from.Path+"/" {
		return &plugins.Error{Kind: plugins.IsDirectory, Err: errors.New("the storage redirects it to a directory")}
	}
	if err := u.again(true); err != nil {
		return &plugins.Error{Kind: plugins.Unsupported, Err: fmt.Errorf("%s redirects an upload that has begun: %w", answer.Origin(resp.Request.URL), err)}
	}
	return nil
}

// judge ends the sending, and returns what became of it if resp and err are the
// outcome of the exchange.
func (u *upload) judge(resp *http.Response, err *plugins.Error) (*http.Response, *plugins.Error) {
	complete, wrong := u.end()
	switch {
	case wrong != nil:
		// Whatever the storage says of it.
		err = spoilt(wrong)
	case err == nil && !complete:
		err = &plugins.Error{Kind: plugins.Malformed, Err: fmt.Errorf("%s answered %d before it had the whole file", answer.Origin(resp.Request.URL), resp.StatusCode)}
	}
	if err != nil && resp != nil {
		resp.Body.Close()
		resp = nil
	}
	return resp, err
}
