// Command mpi-operator is the controller of mpi-operator without its leader election, and without
// its own command's health server, whose port 8080 cannot be changed.
package main

import (
	"context"
	"flag"
	"os/signal"
	"syscall"

	"github.com/kubeflow/mpi-operator/cmd/mpi-operator/app/options"
	mpi "github.com/kubeflow/mpi-operator/pkg/client/clientset/versioned"
	mpischeme "github.com/kubeflow/mpi-operator/pkg/client/clientset/versioned/scheme"
	mpiinformers "github.com/kubeflow/mpi-operator/pkg/client/informers/externalversions"
	"github.com/kubeflow/mpi-operator/pkg/controller"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	plugins "sigs.k8s.io/scheduler-plugins/pkg/generated/clientset/versioned"
	volcano "volcano.sh/apis/pkg/client/clientset/versioned"
)

func main() {
	opt := options.NewServerOption()
	opt.AddFlags(flag.CommandLine)
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, opt); err != nil {
		klog.Fatal(err)
	}
}

func run(ctx context.Context, opt *options.ServerOption) error {
	config, err := clientcmd.BuildConfigFromFlags(opt.MasterURL, opt.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = float32(opt.QPS), opt.Burst
	if err := mpischeme.AddToScheme(scheme.Scheme); err != nil { // for events
		return err
	}
	operator, err := newController(ctx, config, opt)
	if err != nil {
		return err
	}
	return operator.Run(opt.Threadiness, ctx.Done())
}

func newController(ctx context.Context, config *rest.Config, opt *options.ServerOption) (*controller.MPIJobController, error) {
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	jobs, err := mpi.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	gangs, others, err := schedulers(config, opt.GangSchedulingName)
	if err != nil {
		return nil, err
	}
	core := informers.NewSharedInformerFactory(kube, 0)
	own := mpiinformers.NewSharedInformerFactory(jobs, 0)
	operator, err := controller.NewMPIJobController(ctx, kube, jobs, gangs, others,
		core.Core().V1().ConfigMaps(), core.Core().V1().Secrets(), core.Core().V1().Services(),
		core.Batch().V1().Jobs(), core.Core().V1().Pods(), core.Scheduling().V1().PriorityClasses(),
		own.Kubeflow().V2beta1().MPIJobs(), opt)
	if err != nil {
		return nil, err
	}
	core.Start(ctx.Done())
	own.Start(ctx.Done())
	if operator.PodGroupCtrl != nil {
		operator.PodGroupCtrl.StartInformerFactory(ctx.Done())
	}
	return operator, nil
}

// schedulers makes the one client that gang scheduling needs: the controller asks which is there.
func schedulers(config *rest.Config, name string) (volcano.Interface, plugins.Interface, error) {
	switch name {
	case "":
		return nil, nil, nil
	case options.GangSchedulerVolcano:
		client, err := volcano.NewForConfig(config)
		return client, nil, err
	default:
		client, err := plugins.NewForConfig(config)
		return nil, client, err
	}
}
