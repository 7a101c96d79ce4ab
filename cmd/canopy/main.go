// Command canopy presents many storages as one tree over HTTP and WebDAV, and
// is a client of such federations.
//
// Each command is one file of this package: its flags, what it wires together,
// and what it prints. `canopy help` lists them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// commands are the commands of canopy; their comments are the help.
type commands struct {
	Demo       demo       `cmd:"" help:"Start a federation to try, with sample files and no configuration."`
	Share      share      `cmd:"" help:"Share a directory as an HTTP and WebDAV data server."`
	Serve      serve      `cmd:"" help:"Serve the federation that a configuration file describes."`
	Check      check      `cmd:"" help:"Find what is wrong with a configuration file, or with its endpoints."`
	Ls         ls         `cmd:"" help:"List a directory of a federation, or of any WebDAV or web server."`
	Stat       stat       `cmd:"" help:"Print what is known of a file or directory."`
	Locate     locate     `cmd:"" help:"Print where the replicas of a file are, the first choice first."`
	Get        get        `cmd:"" help:"Download files from several replicas at once."`
	Put        put        `cmd:"" help:"Upload files, directories or standard input."`
	Rm         rm         `cmd:"" help:"Remove files, or directories with all that is in them."`
	Mv         mv         `cmd:"" help:"Give a file or directory another name at its server."`
	Mkdir      mkdir      `cmd:"" help:"Make directories."`
	Cp         cp         `cmd:"" help:"Copy a file within a server, or from one server straight to another."`
	Version    version    `cmd:"" help:"Print the version."`
	Completion completion `cmd:"" help:"Print a script that completes canopy's commands and flags in a shell."`

	VersionFlag kong.VersionFlag `name:"version" help:"Print the version."`
}

// The statuses with which canopy ends.
const (
	done   = 0
	failed = 1
	misuse = 2
	// interrupted is how shells know a program that Ctrl-C has ended.
	interrupted = 130
)

// usage marks an error as the caller's: wrong flags, or a wrong configuration.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

// world is what a command gets of the outside.
type world struct {
	ctx            context.Context
	stdout, stderr io.Writer
	app            *kong.Application
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	bridge(slog.DiscardHandler)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// bridge sends what libraries write to the log of the process, such as net/http
// about the manners of servers, to handler on level debug: for whoever looks
// for a fault, and for nobody else.
func bridge(handler slog.Handler) {
	slog.SetDefault(slog.New(handler))
	slog.SetLogLoggerLevel(slog.LevelDebug)
}

// run carries out one command line and returns the status to end with.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	exited := -1
	parser, err := commandLine(stdout, stderr, func(code int) { exited = code; panic(exit{}) })
	if err != nil {
		fmt.Fprintln(stderr, "canopy:", err)
		return failed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	} else if args[0] == "help" {
		args = append(args[1:], "--help")
	}
	parsed, err := parse(parser, args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "canopy: %v; see 'canopy help%s'\n", err, commandOf(err))
		return misuse
	}
	err = parsed.Run(&world{ctx: ctx, stdout: stdout, stderr: stderr, app: parser.Model})
	var wrong usage
	var cut stopped
	switch {
	case err == nil:
		return done
	case errors.As(err, &cut):
		fmt.Fprintln(stderr, complaint(err))
		return interrupted
	case errors.As(err, &wrong):
		fmt.Fprintln(stderr, complaint(err))
		return misuse
	}
	fmt.Fprintln(stderr, complaint(err))
	return failed
}

// commandLine returns a parser of command lines. It calls exit where it has
// printed what was asked for.
func commandLine(stdout, stderr io.Writer, exit func(code int)) (*kong.Kong, error) {
	return kong.New(&commands{},
		kong.Name("canopy"),
		kong.Description("Many storages as one tree: browse it, and be sent to the nearest copy."),
		kong.UsageOnError(),
		kong.Writers(stdout, stderr),
		kong.Vars{"version": versionLine()},
		kong.Exit(exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Help(help),
	)
}

// commandOf returns a space and the command that a parsing error is about; ""
// if it got to none.
func commandOf(err error) string {
	var wrong *kong.ParseError
	if errors.As(err, &wrong) && wrong.Context.Selected() != nil {
		return " " + wrong.Context.Selected().Name
	}
	return ""
}

// exit ends parsing where kong, having printed help, would end the program.
type exit struct{}

func parse(parser *kong.Kong, args []string) (c *kong.Context, err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(exit); !ok {
				panic(r)
			}
		}
	}()
	return parser.Parse(args)
}
