// Command bench prints the figures that Canopy is held to, each with its
// target and whether it is met.
//
//	go run ./cmd/bench                        every figure, in under five minutes
//	go run ./cmd/bench -only redirect,burst   some of them
//	go run ./cmd/bench -long                  what takes longer, such as ten million hits
//	go run ./cmd/bench -strict                exit 1 if a target is missed
//	go run ./cmd/bench -only redirect -cpuprofile cpu.out
//
// Where machines differ, a figure is a ratio to something that everybody
// knows, net/http or x/net/webdav or encoding/xml, measured in turns within
// one run; shown are the median and the range of the turns. The server of each
// figure is a process of its own (bench starts itself again), the load and the
// endpoints that stand behind the server are this one. All traffic stays on
// the loopback interface.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
)

// figure is one thing that is measured, or a few that need the same set-up.
type figure struct {
	name, what string
	measure    func(context.Context, *bench) error
}

var figures = []figure{
	{"redirect", "warm GET to 302, keep-alive, one core for the server, against bare net/http", redirects},
	{"hot", "one file, asked for again and again over 32 connections", hot},
	{"listing", "PROPFIND depth 1 of 10,000 merged entries, against x/net/webdav", listings},
	{"parse", "reading a listing of 10,000 entries, against encoding/xml", parsing},
	{"million", "a directory of 1,000,000 entries, cold, from 4 endpoints", million},
	{"cold", "first requests with endpoints at 5, 20, 50 and 100 ms", cold},
	{"frozen", "first requests with one of six endpoints frozen, then refusing", frozen},
	{"burst", "100 first requests at once, and shares among equals", bursts},
	{"heap", "a million cached entries", heap},
	{"carry", "files that go through Canopy, by curl, against straight to Apache", carries},
}

// bench is one run of the program.
type bench struct {
	dir     string // for files of this run
	rounds  int
	long    bool
	profile string
	missed  int
}

func main() {
	var b bench
	var only, child string
	var strict bool
	flag.IntVar(&b.rounds, "rounds", 5, "turns of each comparison")
	flag.BoolVar(&b.long, "long", false, "ten million hits on the hot file, and the million entries twice")
	flag.StringVar(&b.profile, "cpuprofile", "", "write CPU profiles of the redirecting server to this file with .2 and .22 added")
	flag.StringVar(&only, "only", "", "measure these figures only, separated by commas")
	flag.BoolVar(&strict, "strict", false, "exit 1 if a target is missed")
	flag.StringVar(&child, "child", "", "be a server of this kind; for bench itself")
	flag.Parse()
	if child != "" {
		if err := serve(child, flag.Arg(0), b.profile); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.run(ctx, only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
	if b.missed > 0 {
		fmt.Printf("\n%d targets missed\n", b.missed)
		if strict {
			stop()
			os.Exit(1)
		}
	}
}

// run measures the figures named in only, or all of them.
func (b *bench) run(ctx context.Context, only string) (err error) {
	wanted := figures
	if only != "" {
		wanted = nil
		for name := range strings.SplitSeq(only, ",") {
			i := slices.IndexFunc(figures, func(f figure) bool { return f.name == name })
			if i < 0 {
				return fmt.Errorf("no figure %q; there are %s", name, names())
			}
			wanted = append(wanted, figures[i])
		}
	}
	if b.dir, err = os.MkdirTemp("", "canopy-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	heading()
	var failed []error
	for _, f := range wanted {
		section(f.what)
		if err := f.measure(ctx, b); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", f.name, err))
			fmt.Printf("  could not be measured: %v\n", err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.Join(failed...)
}

func names() string {
	var all []string
	for _, f := range figures {
		all = append(all, f.name)
	}
	return strings.Join(all, ", ")
}
