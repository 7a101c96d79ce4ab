package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"runtime"
	"time"
)

const (
	// hitPaths are the files that are asked for, and hitConns the connections.
	hitPaths, hitConns = 200, 16
	// turn is how long each side is measured before it is the other's turn.
	turn = time.Second
	// blinks are the parts of a turn where less will do: the shorter, the more
	// does whatever else the machine is busy with hit both sides alike.
	blinks = 4
)

// redirects measures redirection from the cache, with few and with many
// replicas, with Redis configured, and with an access log, which net/http
// itself has none of and for which there is therefore no target.
func redirects(ctx context.Context, b *bench) error {
	url, stop, err := b.redis(ctx)
	if err != nil {
		return err
	}
	defer stop()
	for _, c := range []struct {
		what     string
		replicas int
		setting  setting
		target   float64
	}{
		{"2 replicas", 2, setting{}, 0.80},
		{"22 replicas", 22, setting{}, 0.70},
		{"2 replicas, Redis configured", 2, setting{redis: url}, 0.80},
		{"22 replicas, Redis configured", 22, setting{redis: url}, 0.70},
		{"2 replicas, with an access log", 2, setting{logging: true}, 0},
	} {
		if err := b.redirect(ctx, c.what, c.replicas, c.setting, c.target); err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
	}
	return nil
}

func (b *bench) redirect(ctx context.Context, what string, replicas int, s setting, target float64) error {
	storages, closeAll, err := open(replicas, tree{"d": hitPaths}, everywhere)
	if err != nil {
		return err
	}
	defer closeAll()
	var flags []string
	if b.profile != "" && s == (setting{}) {
		flags = []string{fmt.Sprintf("-cpuprofile=%s.%d", b.profile, replicas)}
	}
	server, err := b.federation(ctx, storages, s, 1, flags...)
	if err != nil {
		return err
	}
	defer server.stop()
	var answers []byte
	for i := range hitPaths {
		text, err := capture(server.addr, request("GET", file("d", i)))
		if err != nil {
			return err
		}
		answers = append(answers, text...)
	}
	about, err := b.keep("answers", answers)
	if err != nil {
		return err
	}
	ceiling, err := b.start(ctx, "bare", about, 1)
	if err != nil {
		return err
	}
	defer ceiling.stop()
	if err := same(answers, ceiling.addr); err != nil {
		return err
	}
	// The load generator leaves the other core to the server.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(1, runtime.NumCPU()-1)))
	l := hits(server.addr, storages, hitPaths, hitConns)
	bareLoad := l
	bareLoad.addr, bareLoad.right = ceiling.addr, func(_ int, a *answer) bool { return a.status == 302 }
	// Until all is cached that depends on the file and on whose turn it is.
	if _, err := l.times((10 + 5*replicas) * hitPaths); err != nil {
		return err
	}
	if flags != nil {
		if err := server.tell("profile"); err != nil {
			return err
		}
	}
	var ratio, rates sample
	var late times
	var ourTime, theirTime time.Duration
	wrong, asked, first := 0, 0, ""
	ourHits, theirHits := 0, 0
	for range b.rounds * blinks {
		ours, ourCost, err := measured(server, l, turn/blinks)
		if err != nil {
			return err
		}
		theirs, theirCost, err := measured(ceiling, bareLoad, turn/blinks)
		if err != nil {
			return err
		}
		ratio = append(ratio, ours.rate()/theirs.rate())
		ourTime, theirTime = ourTime+ourCost, theirTime+theirCost
		ourHits, theirHits = ourHits+ours.n, theirHits+theirs.n
		rates = append(rates, ours.rate()/1000)
		late = append(late, ours.quantile(0.99))
		wrong, asked = wrong+ours.wrong+theirs.wrong, asked+ours.n+theirs.n
		first = cmp.Or(first, ours.first, theirs.first)
	}
	each, bareEach := float64(ourTime)/float64(ourHits)/1e3, float64(theirTime)/float64(theirHits)/1e3
	if target > 0 {
		b.least(what+": requests/s, ratio", ratio, target)
	} else {
		note(what+": requests/s, ratio", ratio.String())
	}
	note(what+": the same by processor time", fmt.Sprintf("%.2f (%.1f and %.1f µs)", bareEach/each, bareEach, each))
	note(what+": thousand redirects/s", rates.String())
	note(what+": p99 (median of turns)", show(late.quantile(0.5)))
	b.right(what+": wrong answers", wrong, asked, first)
	return nil
}

// hits is a load of GETs for files that all storages have.
func hits(addr string, storages []*storage, paths, conns int) load {
	l := load{addr: addr, conns: conns}
	right := make([]map[string]bool, paths)
	for i := range paths {
		path := file("d", i)
		l.requests = append(l.requests, request("GET", path))
		right[i] = make(map[string]bool)
		for _, s := range storages {
			right[i]["http://"+s.addr+path] = true
		}
	}
	l.right = func(i int, a *answer) bool { return a.status == 302 && right[i][string(a.location)] }
	return l
}

// measured puts a load on one side for d, and returns how much processor time
// that took the server.
func measured(p *process, l load, d time.Duration) (*tally, time.Duration, error) {
	before, err := p.cpu()
	if err != nil {
		return nil, 0, err
	}
	t, err := l.during(d)
	if err != nil {
		return nil, 0, err
	}
	after, err := p.cpu()
	if err == nil && t.n == 0 {
		err = errors.New("nothing was answered")
	}
	return t, after - before, err
}

// capture returns the bytes of the answer to req.
func capture(addr string, req []byte) ([]byte, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(req); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		return nil, fmt.Errorf("a redirect was expected, and %s came", resp.Status)
	}
	return httputil.DumpResponse(resp, true)
}

// same makes sure that the server at addr answers as text does, but for the
// dates.
func same(text []byte, addr string) error {
	var other []byte
	for i := range hitPaths {
		answer, err := capture(addr, request("GET", file("d", i)))
		if err != nil {
			return err
		}
		other = append(other, answer...)
	}
	if a, b := undated(text), undated(other); !bytes.Equal(a, b) {
		return errors.New("the bare handler answers something else")
	}
	return nil
}

func undated(text []byte) []byte {
	var kept []byte
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(line, []byte("Date:")) {
			kept = append(kept, line...)
		}
	}
	return kept
}
