package download

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"canopy/plugins"
)

const (
	// patience is how often in a row a replica may fail without a byte in
	// between.
	patience = 3
	// firstPause is the pause before the first of these attempts is repeated,
	// doubled each time, and longestPause what a replica may ask for.
	firstPause   = time.Second
	longestPause = time.Minute
)

// errNoRanges says that nobody is left but replicas that send whole files.
var errNoRanges = errors.New("no replica can send a part of the file")

// crew are the replicas of one file, and how they did.
type crew struct {
	d       *Downloader
	digests []plugins.Digest

	mu      sync.Mutex
	size    int64
	members []*member
	// reason is why the last one was dismissed.
	reason error
}

// member is one replica; the crew's mutex guards it.
type member struct {
	url string
	// spare is whether it is asked only when the others are gone.
	spare bool
	// active is how many streams read from it.
	active int
	// failures is how many attempts have failed since the last byte.
	failures int
	// wait is how long it asked to be left alone.
	wait time.Duration
	gone bool
	// whole is whether it is gone because it sends whole files only.
	whole bool
	bytes int64
	// tags are what identifies the content, by who sent it.
	tags map[string]string
}

func newCrew(d *Downloader, job Job) *crew {
	c := &crew{d: d, digests: job.Digests, size: job.Size}
	for i, url := range job.all() {
		c.members = append(c.members, &member{url: url, spare: i >= len(job.Replicas), tags: make(map[string]string)})
	}
	return c
}

// pick returns a replica to read from: the one of before while it does well,
// else the one that fails least and has the fewest streams, nil if none is
// left. It must be given back to pick or release.
func (c *crew) pick(before *member) *member {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before != nil && !before.gone && before.failures == 0 {
		return before
	}
	var best *member
	for _, m := range c.members {
		if !m.gone && (best == nil || m.better(best)) {
			best = m
		}
	}
	if before != nil {
		before.active--
	}
	if best != nil {
		best.active++
	}
	return best
}

// better reports whether m is rather to be asked than o, which stands before
// it.
func (m *member) better(o *member) bool {
	switch {
	case m.spare != o.spare:
		return o.spare
	case m.failures != o.failures:
		return m.failures < o.failures
	}
	return m.active < o.active
}

func (c *crew) release(m *member) {
	c.mu.Lock()
	m.active--
	c.mu.Unlock()
}

// rest waits before m is asked again after a failure.
func (c *crew) rest(ctx context.Context, m *member) error {
	c.mu.Lock()
	failures, wait := m.failures, m.wait
	c.mu.Unlock()
	if failures == 0 {
		return nil
	}
	return c.d.Pause(ctx, min(max(firstPause<<(failures-1), wait), longestPause))
}

// open begins to read from m, if what it answers is of the right content.
func (c *crew) open(ctx context.Context, m *member, r plugins.Range) (*plugins.Body, error) {
	body, from, err := c.d.Opener.Open(ctx, m.url, r)
	if err != nil {
		return nil, err
	}
	if err := c.accept(m, from, body); err != nil {
		body.Close()
		return nil, err
	}
	return body, nil
}

// accept compares what m says of the file with what is known.
func (c *crew) accept(m *member, from string, body *plugins.Body) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := body.Entry
	switch {
	case e.Size < 0:
	case c.size < 0:
		c.size = e.Size
	case c.size != e.Size:
		return &plugins.Error{Kind: plugins.Changed, Err: fmt.Errorf("it has %d bytes there, not %d", e.Size, c.size)}
	}
	if _, same := agree(c.digests, e.Digests); !same {
		return &plugins.Error{Kind: plugins.Changed, Err: errors.New("it has another checksum there")}
	}
	tag := strings.TrimPrefix(e.ETag, "W/")
	if tag == "" && !e.ModTime.IsZero() {
		tag = e.ModTime.UTC().Format(time.RFC3339)
	}
	if old, known := m.tags[from]; known && old != tag {
		return &plugins.Error{Kind: plugins.Changed, Err: errors.New("it has changed there while it was being downloaded")}
	}
	m.tags[from] = tag
	return nil
}

// credit notes that n bytes came from m.
func (c *crew) credit(m *member, n int64) {
	c.mu.Lock()
	m.bytes += n
	m.failures, m.wait = 0, 0
	c.mu.Unlock()
	c.d.Progress(n)
}

// blame notes that m has failed with err, and dismisses it if asking again
// makes no sense.
func (c *crew) blame(m *member, err error) {
	c.mu.Lock()
	m.failures++
	var e *plugins.Error
	if errors.As(err, &e) {
		m.wait = e.RetryAfter
	}
	kind := plugins.KindOf(err)
	hopeless := !kind.Silent() && kind != plugins.Busy
	if m.gone || !hopeless && m.failures < patience {
		c.mu.Unlock()
		return
	}
	m.gone, m.whole = true, errors.Is(err, errNoRanges)
	c.reason = fmt.Errorf("%s: %w", plain(m.url), err)
	left := slices.ContainsFunc(c.members, func(o *member) bool { return !o.gone })
	whole := m.whole
	c.mu.Unlock()
	if left && !whole {
		c.d.Notice(fmt.Sprintf("going on without %s: %v", plain(m.url), err))
	}
}

// verdict is why the file cannot be had when no replica is left.
func (c *crew) verdict() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m.whole {
			return errNoRanges
		}
	}
	if c.reason == nil {
		return errors.New("there is no replica")
	}
	if len(c.members) > 1 {
		return fmt.Errorf("none of %d replicas is left; the last: %w", len(c.members), c.reason)
	}
	return c.reason
}

// readmit takes back those that send whole files only, for who wants that.
func (c *crew) readmit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m.whole {
			m.gone, m.whole, m.failures = false, false, 0
		}
	}
}

// delivered is how many bytes each replica has sent.
func (c *crew) delivered() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	bytes := make(map[string]int64)
	for _, m := range c.members {
		if m.bytes > 0 {
			bytes[m.url] = m.bytes
		}
	}
	return bytes
}

// plain is a URL without its query, which may hold a signature.
func plain(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return url
}
