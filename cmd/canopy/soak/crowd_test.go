package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crowd is clients of a federation that go on until they are stopped.
type crowd struct {
	f     *federation
	base  string
	names []string
	http  *http.Client

	ctx  context.Context
	halt context.CancelFunc
	wg   sync.WaitGroup

	gets, heads, lists atomic.Int64
	// further are downloads that had to take another than the first replica,
	// again those that had to ask Canopy once more, and partial the listings
	// that said themselves that they were not complete.
	further, again, partial atomic.Int64

	mu     sync.Mutex
	faults []string
	// dead is since when servers are known to be, by their addresses.
	dead map[string]time.Time
	// longest is how long after its death a client was still sent to a server.
	longest time.Duration
}

func newCrowd(f *federation) *crowd {
	c := &crowd{
		f: f, base: f.service.URLs()[0], names: slices.Sorted(maps.Keys(f.content)), dead: make(map[string]time.Time),
		http: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       30 * time.Second,
		},
	}
	c.base = strings.TrimSuffix(c.base, "/")
	c.ctx, c.halt = context.WithCancel(f.t.Context())
	return c
}

// start lets n clients begin.
func (c *crowd) start(n int) {
	for i := range n {
		random := rand.New(rand.NewPCG(uint64(i), 7))
		c.wg.Go(func() {
			for c.ctx.Err() == nil {
				c.once(random)
			}
		})
	}
}

// stop ends all clients; it may be called more than once.
func (c *crowd) stop() {
	c.halt()
	c.wg.Wait()
	c.http.CloseIdleConnections()
}

// once is one request of one client.
func (c *crowd) once(random *rand.Rand) {
	tree, name := "/sent/", c.names[random.IntN(len(c.names))]
	if random.IntN(3) == 0 {
		tree = "/carried/"
	}
	var err error
	switch random.IntN(5) {
	case 0:
		c.heads.Add(1)
		err = c.head(tree + name)
	case 1:
		c.lists.Add(1)
		err = c.list(tree)
	default:
		c.gets.Add(1)
		err = c.get(tree, name)
		var dead noReplica
		if errors.As(err, &dead) {
			c.again.Add(1)
			err = c.get(tree, name)
		}
	}
	if err != nil && c.ctx.Err() == nil {
		c.fault(err)
	}
}

func (c *crowd) fault(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, time.Now().Format("04:05.000 ")+err.Error())
}

// ask sends one request. The body is read to its end, so that a broken answer
// is an error.
func (c *crowd) ask(method, address string, header ...string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(c.ctx, method, address, nil)
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// at returns the address of a path of the federation.
func (c *crowd) at(path string) string { return c.base + (&url.URL{Path: path}).EscapedPath() }

func (c *crowd) head(path string) error {
	resp, _, err := c.ask("HEAD", c.at(path))
	if err != nil {
		return fmt.Errorf("HEAD %s: %w", path, err)
	}
	_, name, _ := strings.Cut(path[1:], "/")
	if want := int64(len(c.f.content[name])); resp.StatusCode != 200 || resp.ContentLength != want {
		return fmt.Errorf("HEAD %s: %s, %d bytes instead of %d", path, resp.Status, resp.ContentLength, want)
	}
	return nil
}

// list makes sure that every name is there, whoever is dead, or that the answer
// says that some may be missing.
func (c *crowd) list(path string) error {
	resp, body, err := c.ask("PROPFIND", c.at(path), "Depth", "1")
	if err != nil {
		return fmt.Errorf("PROPFIND %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusMultiStatus {
		return fmt.Errorf("PROPFIND %s: %s", path, resp.Status)
	}
	if resp.Header.Get("Canopy-Incomplete") != "" || resp.Trailer.Get("Canopy-Incomplete") != "" {
		c.partial.Add(1)
		return nil
	}
	for _, name := range c.names {
		if !strings.Contains(string(body), name[:3]) {
			return fmt.Errorf("PROPFIND %s: %d bytes without %s", path, len(body), name)
		}
	}
	return nil
}

var duplicate = regexp.MustCompile(`<([^>]*)>; *rel="?duplicate`)

// get downloads a file: from Canopy itself, or from the replicas to which it
// sends us, the first of them that delivers.
func (c *crowd) get(tree, name string) error {
	resp, body, err := c.ask("GET", c.at(tree+name))
	switch {
	case err != nil:
		return fmt.Errorf("GET %s%s: %w", tree, name, err)
	case tree == "/carried/" && resp.StatusCode == 200 && c.f.holds(name, body):
		return nil
	case tree == "/carried/" || resp.StatusCode != http.StatusFound:
		return fmt.Errorf("GET %s%s: %s with %d bytes instead of %d", tree, name, resp.Status, len(body), len(c.f.content[name]))
	}
	replicas := []string{resp.Header.Get("Location")}
	for _, line := range resp.Header.Values("Link") {
		for _, m := range duplicate.FindAllStringSubmatch(line, -1) {
			if !slices.Contains(replicas, m[1]) {
				replicas = append(replicas, m[1])
			}
		}
	}
	c.sent(replicas[0])
	var failed []error
	for _, r := range replicas {
		resp, body, err := c.ask("GET", r)
		if err == nil && resp.StatusCode == 200 && c.f.holds(name, body) {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("%s: %s with %d bytes", r, resp.Status, len(body))
		}
		failed = append(failed, err)
		c.further.Add(1)
	}
	return noReplica{tree + name, errors.Join(failed...)}
}

// noReplica is the error of a file of which no replica delivers that Canopy
// has named. Just after a death there may have been but one, and no redirector
// can know it at once: a client asks again, one time.
type noReplica struct {
	path string
	error
}

// Error says which file, and what became of each replica.
func (e noReplica) Error() string {
	return fmt.Sprintf("GET %s: no replica delivers: %v", e.path, e.error)
}

// note says that the server at addr dies, or is back.
func (c *crowd) note(addr string, dead bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.dead, addr)
	if dead {
		c.dead[addr] = time.Now()
	}
}

// sent notes how long ago the server has died to which a client is sent.
func (c *crowd) sent(address string) {
	u, err := url.Parse(address)
	if err != nil {
		c.fault(err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if since, is := c.dead[u.Host]; is {
		c.longest = max(c.longest, time.Since(since))
	}
}

// wait lets time pass while the clients go on.
func (c *crowd) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
	}
}

// recovered waits until Canopy has noticed that server i is back.
func (c *crowd) recovered(i int) {
	c.f.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	limit := time.After(20 * time.Second)
	for {
		up := 0
		_, body, err := c.ask("GET", c.base+"/-/api/v1/endpoints")
		if err != nil {
			c.f.t.Fatal(err)
		}
		var all struct {
			Endpoints []struct{ Name, State string }
		}
		if err := json.Unmarshal(body, &all); err != nil {
			c.f.t.Fatalf("endpoints: %v in %s", err, body)
		}
		for _, e := range all.Endpoints {
			if e.State == "up" && strings.HasSuffix(e.Name, fmt.Sprintf("-%d", i)) {
				up++
			}
		}
		if up == 2 {
			return
		}
		select {
		case <-again.C:
		case <-limit:
			c.f.t.Fatalf("server %d is back and not used again: %s", i, body)
		}
	}
}

// judge reports what clients have noticed.
func (c *crowd) judge(t *testing.T) {
	t.Logf("%d downloads, of which %d needed a further replica and %d asked again; %d HEAD, %d PROPFIND, %d of them incomplete; sent to a dead server for %v at most",
		c.gets.Load(), c.further.Load(), c.again.Load(), c.heads.Load(), c.lists.Load(), c.partial.Load(), c.longest.Round(time.Millisecond))
	for i, fault := range c.faults {
		if i == 20 {
			t.Errorf("and %d more", len(c.faults)-i)
			break
		}
		t.Error(fault)
	}
	if c.gets.Load() == 0 || c.heads.Load() == 0 || c.lists.Load() == 0 {
		t.Error("there was no load")
	}
}
